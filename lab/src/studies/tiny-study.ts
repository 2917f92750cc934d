/** A study that runs in seconds, for tests. Never imported by the product. */
import { taskConfig } from 'looprpt/internal/data/tasks/index.js';
import { BASELINES, METHODS } from './arms.js';
import { type Study, type StudyInput, study } from './study.js';
import { VARIANTS } from './variants.js';

const BATCH = { rows: 4, sequenceLength: 24, pack: 'whole' } as const;
const ARMS = ['base', 'uniform-ce', 'gate', 'looprpt', 'closed-batch'];

export function tinyStudy(changes: Partial<StudyInput> = {}): Study {
  const task = taskConfig('hop', { compact: true, joined: true, symbols: 4, alphabet: 8, hops: 2, queries: 5 });
  const schedule = { warmupSteps: 2 };
  return study({
    name: 'tiny',
    title: 'A tiny study',
    regime: 'b',
    about: 'Nothing can be learnt from it.',
    corpus: { kind: 'task', task, vocabulary: 290, heldOut: 12, documents: 32 },
    model: { hiddenSize: 8, intermediateSize: 16, layers: 1, heads: 2, loops: 3 },
    base: { steps: 4, learningRate: 1e-2, batch: BATCH, schedule },
    training: { steps: 3, batch: BATCH, schedule },
    arms: [...BASELINES, ...METHODS, ...VARIANTS].filter(({ name }) => ARMS.includes(name)),
    tuning: { seeds: [7], learningRates: [1e-3, 1e-2], trials: 2 },
    equalCompute: 'looprpt',
    seeds: [1, 2],
    ...changes,
  });
}
