/** Multi-hop lookup at two sizes: endless data, a finite corpus, and a finite corpus on a base that endless data cannot improve. */

import { taskConfig } from 'looprpt/internal/data/tasks/index.js';
import type { architectureSchema } from 'looprpt/internal/train/run-config.js';
import type { z } from 'zod';
import { ABLATIONS, BASELINES, METHODS } from '../arms.js';
import { type StudyInput, study } from '../study.js';
import { SEARCHED_BASELINE, TRANSFER_ARMS } from '../transfer-arms.js';
import { PARTS_TAKEN_AWAY, VARIANTS } from '../variants.js';
import { confirmationOf } from './confirmation.js';

const TASK = taskConfig('hop', { compact: true, joined: true, alphabet: 10 });
/** A document has 104 places: rows of one document each, without padding. */
const BATCH = { rows: 32, sequenceLength: 104, pack: 'whole' } as const;

type Shape = z.input<typeof architectureSchema>;
const SMALL: Shape = { hiddenSize: 64, intermediateSize: 192, layers: 1, heads: 4, loops: 4 };
const LARGE: Shape = { hiddenSize: 160, intermediateSize: 480, layers: 1, heads: 4, loops: 4 };

/** A base of this kind is dear, so all seeds share one; they vary the order of the data, noise and sampled exits. */
const shared = {
  arms: [...BASELINES, ...METHODS, ...ABLATIONS, ...VARIANTS],
  equalCompute: 'looprpt',
  seeds: [1, 2, 3, 4, 5],
} satisfies Partial<StudyInput>;

const endless = study({
  ...shared,
  name: 'hop-endless',
  title: 'Multi-hop lookup, endless data',
  regime: 'a',
  about:
    'The base that ships is far from what endless data can make of it. No document is seen twice, which favours plain cross-entropy.',
  corpus: { kind: 'task', task: TASK, heldOut: 600 },
  base: { shipped: 'hop-base' },
  training: { steps: 150, batch: BATCH, schedule: { warmupSteps: 20, floor: 0.05 } },
  tuning: { seeds: [101], learningRates: [5e-4, 1e-3, 2e-3], trials: 3 },
});

export const hopEndless = study({ ...endless, equalTokensOnly: [...PARTS_TAKEN_AWAY] });

export const hopFinite = study({
  ...endless,
  name: 'hop-finite',
  title: 'Multi-hop lookup, a finite corpus',
  regime: 'b',
  about:
    'Endless data could still improve the base that ships; hop-saturated has one that it could not. The arms see 1,600 new documents, three times each at equal tokens.',
  corpus: { kind: 'task', task: TASK, heldOut: 600, documents: 1600 },
  tuning: { seeds: [101], learningRates: [2.5e-4, 5e-4, 1e-3, 2e-3], trials: 4 },
});

const SHORT = [
  'base',
  'stage1',
  'uniform-ce',
  'gate',
  'looprpt',
  'no-selection',
  'closed-batch',
  'anchored',
  'tethered',
  'stage1-blended',
];

/** A quick table: a few arms of the endless study. */
export const hopShort = study({
  ...endless,
  name: 'hop-short',
  title: 'Multi-hop lookup, endless data: the short table',
  about: 'The base is far from saturated. No document is seen twice, which favours plain cross-entropy.',
  arms: shared.arms.filter(({ name }) => SHORT.includes(name)),
});

/** What the few steps of the larger studies change is small beside what 600 documents can show. */
const MANY_HELD_OUT = { kind: 'task', task: TASK, heldOut: 2400, tuning: 600 } as const;

/** Documents that no choice was made on: the studies above are judged on the first 600, and the larger ones report the first 2,400. */
const UNTOUCHED = { ...MANY_HELD_OUT, heldOutFrom: 600 } as const;
const TESTED =
  'It has new seeds and four times as many held-out documents, on which nothing was settled. It tries one lower learning rate more, or one interpolation weight more.';

export const hopEndlessConfirm = confirmationOf(endless, {
  name: 'hop-endless-confirm',
  title: 'Multi-hop lookup, endless data: confirmation',
  about: `Confirms hop-short and hop-endless. ${TESTED}`,
  corpus: UNTOUCHED,
  tuning: hopFinite.tuning,
  confirms: ['hop-short', 'hop-endless'],
});

export const hopFiniteConfirm = confirmationOf(hopFinite, {
  name: 'hop-finite-confirm',
  title: 'Multi-hop lookup, a finite corpus: confirmation',
  about: `Confirms hop-finite. ${TESTED} The half for equal compute was run again after a first outcome (+0.14, +0.04 to +0.23), because the measure of CPU seconds was wrong then; the log has it.`,
  corpus: { ...UNTOUCHED, documents: 1600 },
  tuning: { seeds: [101], learningRates: [1.25e-4, 2.5e-4, 5e-4, 1e-3, 2e-3], trials: 5 },
});

/** Where depth has nothing left to give: the base solves at loop 2 what it will solve at all. */
export const hopSaturated = confirmationOf(hopFinite, {
  name: 'hop-saturated',
  title: 'Multi-hop lookup, a finite corpus on a saturated base',
  about:
    'The base has seen 384,000 documents, which is as good as endless data can make it. It solves as much at loop 2 as at loop 4. The arms see 1,600 new documents, three times each at equal tokens. The interpolation weights were set after a first outcome with even ones; the log has it.',
  corpus: hopFiniteConfirm.corpus,
  model: SMALL,
  base: {
    steps: 12_000,
    learningRate: 3e-3,
    batch: BATCH,
    schedule: { warmupSteps: 50, floor: 0.02 },
    perSeed: false,
    seed: 1,
  },
  // Even steps would begin too far from the start: here the smallest share was best of them.
  tuning: {
    seeds: [101],
    trials: 5,
    learningRates: [3e-5, 1e-4, 3e-4, 1e-3, 2e-3],
    shares: [0.015, 0.05, 0.15, 0.5, 1],
  },
  confirms: [],
});

const TAKEN_OVER = ['base', 'stage1', 'looprpt', 'tethered'];
const FOR_A_NEW_DOMAIN = ['all-tokens', 'all-tokens-search'];

/** The same base and data: the preset for a new domain must do no harm here, or be taken back. */
export const hopSaturatedPresets = study({
  ...hopSaturated,
  name: 'hop-saturated-presets',
  title: 'The same saturated base: the presets, and a line search',
  about: `${hopSaturated.about} An arm of “weights interpolated” looks for its share on the tuning split, after its last step.`,
  decides: 'frontier',
  claims: false,
  arms: [
    ...hopSaturated.arms.filter(({ name }) => TAKEN_OVER.includes(name)),
    SEARCHED_BASELINE,
    ...TRANSFER_ARMS.filter(({ name }) => FOR_A_NEW_DOMAIN.includes(name)),
  ],
});

/** Four times the weights, and half the rates; fewer and smaller steps, so that a table takes no longer. */
export const hopEndlessLarge = study({
  ...hopEndless,
  name: 'hop-endless-large',
  title: 'Multi-hop lookup, endless data, four times the weights',
  about: 'The base has seen 160,000 documents once. The arms see 1,536 new ones, none of them twice.',
  corpus: MANY_HELD_OUT,
  model: LARGE,
  base: {
    steps: 5000,
    learningRate: 2e-3,
    batch: BATCH,
    schedule: { warmupSteps: 50, floor: 0.05 },
    perSeed: false,
  },
  training: { ...hopEndless.training, steps: 96, batch: { ...BATCH, rows: 16 } },
  tuning: { seeds: [101], learningRates: [2.5e-4, 5e-4, 1e-3], trials: 3 },
  equalTokensOnly: [...PARTS_TAKEN_AWAY],
});

export const hopFiniteLarge = study({
  ...hopFinite,
  name: 'hop-finite-large',
  title: 'Multi-hop lookup, a finite corpus, four times the weights',
  about: 'The base is that of hop-endless-large. The arms see 512 new documents, three times each at equal tokens.',
  model: LARGE,
  base: hopEndlessLarge.base,
  corpus: { ...MANY_HELD_OUT, documents: 512 },
  training: hopEndlessLarge.training,
  tuning: { seeds: [101], learningRates: [1.25e-4, 2.5e-4, 5e-4, 1e-3], trials: 4 },
  equalTokensOnly: [...PARTS_TAKEN_AWAY],
});
