/** The job of `npm start`: the base that ships with the package, on multi-hop lookup. */
import { HOP_BASE } from '../checkpoint/shipped.js';
import { TokenizedTaskSource } from '../data/loader/tokenized-source.js';
import { documentAt, taskConfig } from '../data/tasks/index.js';
import { Tokenizer } from '../text/tokenizer.js';
import { type ArmOptions, armConfig, HOP_ARMS } from './arms.js';
import { batchesOf, type Setting } from './setting.js';

/** The plainest task on which depth matters, with easy and hard tokens in every document. */
const TASK = taskConfig('hop', { compact: true, joined: true, alphabet: 10 });

/** Held-out documents; each has 24 answers that count. */
const DOCUMENTS = 600;

const STEPS = 300;

/** @param options.seed moves the training documents along, so that other seeds see other ones */
export function hopSetting(options: ArmOptions): Setting {
  const training = {
    data: { task: TASK, taskSeed: 1 + options.seed },
    batch: { rows: 32, sequenceLength: 128, pack: 'whole' },
    schedule: { kind: 'cosine', warmupSteps: 20, floor: 0.05 },
    steps: STEPS,
    learningRate: 1e-3,
  } as const;
  return {
    title: 'LoopRPT and its strongest baseline on multi-hop lookup',
    dataName: `${DOCUMENTS} held-out documents of task:hop`,
    notes: [
      `All arms start from the same base and see the same documents in the same order, ${STEPS} steps. None of them is held out.`,
      'The base is small (103,000 weights) and its data endless, which favours plain cross-entropy. Read the table as a working example, not as evidence for or against the method.',
    ],
    base: HOP_BASE,
    arms: HOP_ARMS,
    config: (arm) => armConfig(arm, { model: { from: HOP_BASE }, training }, options),
    async heldOut() {
      const tokenizer = await Tokenizer.load(HOP_BASE);
      const source = new TokenizedTaskSource({
        id: 'held-out documents',
        documentAt: (index) => documentAt(TASK, 0, 'heldout', index),
        tokenizer,
        length: DOCUMENTS,
      });
      return batchesOf(source, { batchSize: 32, sequenceLength: 128, pack: 'whole' }, tokenizer.padId);
    },
  };
}
