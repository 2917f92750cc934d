/**
 * The settings of LoopRPT. Each component is a switch, and each point that the paper leaves open is a setting here.
 * The defaults are the paper's values where it gives them (ρ, G, σ) and otherwise those of small-scale trials.
 */
import { z } from 'zod';
import { tokenSelectionSchema } from './hard-tokens.js';

const reach = z.enum(['gate', 'backbone']);

export const loopRptConfigSchema = z
  .strictObject({
    kind: z.literal('looprpt'),
    ...tokenSelectionSchema.shape,

    alpha: z.number().nonnegative().default(1).describe('α, weight of the policy gradient; 0 switches it off'),
    beta: z.number().nonnegative().default(1).describe('β, weight of the representation loss; 0 switches it off'),
    gamma: z
      .number()
      .nonnegative()
      .default(0.02)
      .describe('γ, weight of the exit-entropy bonus; 0 switches it off. The paper: 0.01'),
    delta: z
      .number()
      .nonnegative()
      .default(0.005)
      .describe('δ, weight of the K3 divergence from the teacher; 0 switches it off. The paper: 0.0001'),
    klFrom: z
      .enum(['clean', 'noisy'])
      .default('clean')
      .describe(
        'the passes whose log-probabilities the K3 divergence reads: the clean one, or the noisy rollouts, as in the paper; those must be full',
      ),
    zeta: z
      .number()
      .nonnegative()
      .default(0)
      .describe("ζ, weight of the distillation of the teacher's reference into every loop; 0, as in the paper: none"),
    distillFrom: z
      .enum(['last', 'reference'])
      .default('last')
      .describe("the teacher's distribution that is distilled: at its last loop, or at its reference step"),
    distillAnchor: z
      .number()
      .min(0)
      .max(1)
      .nullable()
      .default(null)
      .describe(
        "share of the distillation that falls on the student's last loop, the others share the rest; null: all alike",
      ),

    lambdaBase: z
      .number()
      .nonnegative()
      .default(0.02)
      .describe('λ_base, price of a further loop, nats; 0: no time penalty'),
    lambdaScale: z.number().nonnegative().default(1).describe('λ_scale, how much more an easy token pays'),

    policy: z
      .enum(['rollouts', 'closed'])
      .default('rollouts')
      .describe(
        'rollouts: sampled exits of noisy passes, as in the paper; closed: the exact gradient of Σ_k π(k) A(k), without rollouts',
      ),
    rollouts: z
      .enum(['full', 'hard'])
      .default('hard')
      .describe(
        "full: every token noisy, as in the paper; hard: only the hard tokens' queries, over the clean keys and values",
      ),
    rolloutCount: z.number().int().min(1).default(8).describe('G, rollouts of a hard token'),
    sigma: z.number().nonnegative().default(0.1).describe('σ, standard deviation of the latent noise; 0: none'),
    rewardFrom: z
      .enum(['table', 'own'])
      .default('table')
      .describe("a rollout's reward: R(t) of the clean pass, or the same from the rollout's own state"),

    advantage: z
      .enum(['token', 'batch', 'none'])
      .default('token')
      .describe('normalisation of both advantages: per token (as in the paper), over the batch, or none'),
    stepAdvantage: z
      .enum(['token', 'batch', 'none'])
      .optional()
      .describe("normalisation of A'(k) alone; default, as in the paper: as `advantage` says"),
    closedFormWeighting: z
      .enum(['policy', 'uniform'])
      .default('policy')
      .describe('distribution under which closed-form advantages have mean 0 and variance 1'),
    advantageEpsilon: z.number().positive().default(1e-4).describe('ε added to the standard deviation'),
    stdCorrection: z
      .union([z.literal(0), z.literal(1)])
      .default(0)
      .describe('0: divide the variance by n; 1: by n − 1'),

    policyGradient: reach
      .default('gate')
      .describe('how far L_PG reaches: the gate alone, or the backbone too, where nothing in the paper stops it'),
    entropyGradient: reach.default('gate').describe('how far the entropy bonus reaches'),
    weights: z
      .enum(['policy', 'uniform', 'depth', 'first'])
      .default('policy')
      .describe(
        'distribution over loops in w_k: π (as in the paper), the same for every loop, in proportion to k, or loop 1 alone',
      ),
    uniformShare: z
      .number()
      .min(0)
      .max(1)
      .default(0)
      .describe(
        'share of the same weight for every loop in w_k, beside π: what keeps deep loops alive that the gate no longer reads; 0 as in the paper',
      ),
    kappa: z
      .number()
      .nonnegative()
      .default(1)
      .describe("κ in w_k = π(k) (1 + κ relu(A'(k))): how much a step advantage raises the weight; 1 as in the paper"),
    kappaShare: z
      .number()
      .positive()
      .max(1)
      .optional()
      .describe(
        "share of a row's selected tokens, those of the highest H_t, at which κ counts; default, as in the paper: all",
      ),
    weightGradient: z
      .enum(['none', 'gate', 'backbone'])
      .default('none')
      .describe("how far L_rep reaches through π in w_k; 'none', and wherever w_k holds no π: w_k is a constant"),
  })
  .refine(({ klFrom, policy, rollouts }) => klFrom === 'clean' || (policy === 'rollouts' && rollouts === 'full'), {
    path: ['klFrom'],
    message: 'noisy needs whole noisy passes: policy rollouts and rollouts full',
  });

/** Whether the divergence from the teacher reads the noisy passes. */
export function readsNoisyPasses({ delta, klFrom }: Pick<LoopRptConfig, 'delta' | 'klFrom'>): boolean {
  return delta > 0 && klFrom === 'noisy';
}

/** Whether a step runs noisy passes: for the policy gradient, or for the divergence that reads them. */
export function runsRollouts(config: LoopRptConfig): boolean {
  return config.policy === 'rollouts' && (config.alpha > 0 || readsNoisyPasses(config));
}

export type LoopRptConfig = z.infer<typeof loopRptConfigSchema>;
