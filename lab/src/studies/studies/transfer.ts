/**
 * The paper's setting: a general base goes on to a domain that is new to it. Generated: a base of symbolic tasks goes on to word problems in
 * English. Text: a base of grade-school problems goes on to Omni-MATH. Three epochs of a finite corpus, as in the paper.
 *
 * Settings, best baselines and verdicts go by the frontier. What the arms forget of the base's own data is measured with them.
 */
import { taskConfig } from 'looprpt/internal/data/tasks/index.js';
import { BASELINES } from '../arms.js';
import { type StudyInput, study } from '../study.js';
import { SEARCHED_BASELINE, TRANSFER_ARMS } from '../transfer-arms.js';

const BATCH = { rows: 4, sequenceLength: 256 } as const;
const SMALL_BATCH = { rows: 2, sequenceLength: 256 } as const;
const STORIES = taskConfig('stories');
const SYMBOLS = taskConfig('mixture', {
  parts: [
    { config: { task: 'hop', compact: true, joined: true, alphabet: 10 } },
    { config: { task: 'mano' } },
    { config: { task: 'arithmetic', operations: ['add', 'sub'], maxDigits: 3 } },
  ],
});

const GSM8K_TO_OMNI = {
  kind: 'text',
  base: ['gsm8k'],
  training: ['omni-math'],
  heldOut: ['omni-math'],
  general: ['gsm8k'],
  vocabulary: 1024,
} satisfies Partial<StudyInput['corpus']>;

/** Of arms that tune their interpolation weight. */
const SHARES = [0.25, 0.5, 0.75, 1];

const shared = {
  regime: 'd',
  decides: 'frontier',
  arms: [...BASELINES, SEARCHED_BASELINE, ...TRANSFER_ARMS],
  equalCompute: 'stage1',
  computeBy: 'cpu',
  equalTokensOnly: ['paper-gate', 'paper-backbone'],
  seeds: [1, 2, 3, 4, 5],
} satisfies Partial<StudyInput>;

const recipe = { schedule: { warmupSteps: 20, floor: 0.05 }, weightDecay: 0.1, batch: BATCH };

export const transfer = study({
  ...shared,
  name: 'transfer',
  title: 'Transfer: from symbols to word problems',
  about:
    'The base knows multi-hop lookup, nested operations and written sums, and no English; its tokenizer does. The arms see 200 word problems, three times each.',
  corpus: { kind: 'task', task: STORIES, baseTask: SYMBOLS, heldOut: 200, tuning: 100, documents: 200 },
  base: { shipped: 'transfer-base' },
  training: { ...recipe, steps: 100 },
  tuning: { seeds: [101], learningRates: [4e-3, 8e-3, 1.6e-2, 3.2e-2], shares: SHARES, trials: 4 },
});

export const transferText = study({
  ...shared,
  name: 'transfer-text',
  title: 'Transfer: from GSM8K to Omni-MATH',
  about:
    'The base has read GSM8K and generated word problems twice. The arms read a part of Omni-MATH, once. Solutions count, problems do not.',
  corpus: { ...GSM8K_TO_OMNI, heldOutBatches: 30 },
  base: { shipped: 'gsm8k-base' },
  training: { ...recipe, steps: 120 },
  tuning: { seeds: [101], learningRates: [1e-3, 2e-3, 4e-3, 8e-3], shares: SHARES, trials: 4 },
});

/** A base that has seen a little of the domain: a twentieth of its documents. */
export const transferMild = study({
  ...transfer,
  name: 'transfer-mild',
  title: 'Transfer: from symbols with a few word problems to word problems',
  about:
    'As in the study transfer, but a twentieth of the documents of the base were word problems. The arms see 200 others, three times each.',
  base: { shipped: 'transfer-mild-base' },
});

/** Of the arms of `transfer-large`: what is held against each other, and a second baseline. All of them in bfloat16. */
const LARGE_ARMS = ['base', 'stage1', 'uniform-ce', 'paper', 'paper-gate', 'all-tokens'];

/**
 * 17M weights, on a short budget: two trials an arm, three seeds. The whole is two hours of two cores; base, stage I, `paper` and
 * `all-tokens` for equal tokens are 131 minutes of one core, half of them `paper`'s.
 */
export const transferLarge = study({
  ...transferText,
  name: 'transfer-large',
  title: 'Transfer: from GSM8K to Omni-MATH, 17M weights',
  about:
    'The base has read half a million tokens of GSM8K, in bfloat16 like the arms. The arms read 40,000 tokens of Omni-MATH, once. Solutions count, problems do not.',
  corpus: { ...GSM8K_TO_OMNI, heldOutBatches: 36 },
  model: { hiddenSize: 512, intermediateSize: 1408, layers: 5, heads: 8, loops: 4 },
  arms: shared.arms
    .filter(({ name }) => LARGE_ARMS.includes(name))
    .map((arm) => (arm.objective ? { ...arm, dtype: 'bfloat16' as const } : arm)),
  base: {
    steps: 1000,
    batch: SMALL_BATCH,
    learningRate: 1e-3,
    schedule: { warmupSteps: 50, floor: 0.02 },
    weightDecay: 0.1,
    dtype: 'bfloat16',
    perSeed: false,
    seed: 1,
  },
  training: { ...recipe, batch: SMALL_BATCH, schedule: { warmupSteps: 10, floor: 0.05 }, steps: 80 },
  equalTokensOnly: [],
  tuning: { seeds: [101], learningRates: [5e-4, 1.5e-3], shares: [0.5, 1], trials: 2 },
  seeds: [1, 2, 3],
});
