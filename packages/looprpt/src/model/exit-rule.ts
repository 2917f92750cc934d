/**
 * When a token stops looping, decided after each loop from what is known by then: nothing of later loops is computed first.
 *
 * Loops count from 1. Every rule has a last loop, after which the token leaves whatever the evidence says.
 */
import { z } from 'zod';
import { UserError } from '../base/user-error.js';
import type { LoopLMConfig } from './config.js';

const maxLoops = z.int().min(1).optional().describe("most loops; all of the model's where it is missing");

export const exitRuleConfig = z.discriminatedUnion('rule', [
  z.strictObject({ rule: z.literal('loops'), loops: z.int().min(1) }).describe('always so many loops'),
  z
    .strictObject({ rule: z.literal('gate'), threshold: z.number(), maxLoops })
    .describe("the first loop at which the exit gate's cdf reaches the threshold"),
  z
    .strictObject({ rule: z.literal('hidden-change'), tolerance: z.number().min(0), maxLoops })
    .describe('the first loop that changes the state by at most this share of its 2-norm; no training needed'),
  z
    .strictObject({ rule: z.literal('confidence'), probability: z.number().min(0).max(1), maxLoops })
    .describe('the first loop whose likeliest next token has this probability; reads the LM head after every loop'),
  z
    .strictObject({ rule: z.literal('replay'), loops: z.array(z.int().min(1)).min(1) })
    .describe('token n takes entry n of this list, which starts again at its end; for measurements'),
]);

export type ExitRule = z.output<typeof exitRuleConfig>;

/** What a rule wants to know after a loop. */
export type EvidenceKind = 'none' | 'gate' | 'change' | 'confidence';

/** Most loops that a token runs. @throws UserError where the model has fewer */
export function lastLoop(rule: ExitRule, { loops }: Pick<LoopLMConfig, 'loops'>): number {
  const asked =
    rule.rule === 'loops' ? rule.loops : rule.rule === 'replay' ? Math.max(...rule.loops) : (rule.maxLoops ?? loops);
  if (asked > loops) throw new UserError(`exit rule: ${asked} loops are asked for, the model has ${loops}`);
  return asked;
}

export function evidenceOf({ rule }: ExitRule): EvidenceKind {
  if (rule === 'gate') return 'gate';
  if (rule === 'hidden-change') return 'change';
  return rule === 'confidence' ? 'confidence' : 'none';
}

/** One token's way through the loops. */
export class ExitDecision {
  readonly #rule: ExitRule;
  readonly #last: number;
  #survival = 1;
  #mass = 0;

  /** @param index number of the token in its sequence, prompt included @param last what `lastLoop` says */
  constructor(rule: ExitRule, last: number, index: number) {
    this.#rule = rule;
    this.#last = rule.rule === 'replay' ? rule.loops[index % rule.loops.length]! : last;
  }

  /**
   * Whether the token leaves after this loop; to be asked once a loop, in order.
   * @param evidence gate logit, relative change of the state, or largest probability, as the rule wants
   */
  leaves(loop: number, evidence: number): boolean {
    if (loop >= this.#last) return true;
    const rule = this.#rule;
    if (rule.rule === 'gate') return this.#cdfAfter(evidence) >= Math.fround(rule.threshold);
    if (rule.rule === 'hidden-change') return evidence <= rule.tolerance;
    return rule.rule === 'confidence' && evidence >= rule.probability;
  }

  /** The recursion of `exitPdf` and `exitCdf` in model/exit.ts with float32's rounding, one loop further. */
  #cdfAfter(gateLogit: number): number {
    const leave = Math.fround(1 / Math.fround(1 + Math.fround(Math.exp(-gateLogit))));
    this.#mass += Math.fround(leave * this.#survival);
    this.#survival = Math.fround(this.#survival * Math.fround(1 - leave));
    return Math.fround(this.#mass);
  }
}
