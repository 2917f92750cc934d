/**
 * The job of `npm start`: the paper's setting, small. A base that knows symbolic tasks and no English goes on to word problems. It is the
 * first seed of the laboratory's study of transfer, for the same tokens.
 */
import { TRANSFER_BASE } from '../checkpoint/shipped.js';
import { TokenizedTaskSource } from '../data/loader/tokenized-source.js';
import { documentAt, taskConfig } from '../data/tasks/index.js';
import { Tokenizer } from '../text/tokenizer.js';
import { type ArmOptions, armConfig, TRANSFER_ARMS } from './arms.js';
import { batchesOf, type Setting } from './setting.js';

const TASK = taskConfig('stories');

/** Of the arms' corpus, which they read three times. */
const DOCUMENTS = 200;
/** Held-out ones. */
const JUDGED = 200;

const SHAPE = { batchSize: 4, sequenceLength: 256, pack: 'greedy' } as const;
const STEPS = 100;
/** Where the study's training documents begin; its bases' come before. */
const FIRST_SEED = 1_000_001;

/** @param options.seed moves the training documents along, so that other seeds see other ones */
export function transferSetting(options: ArmOptions): Setting {
  const training = {
    data: { task: TASK, taskSeed: FIRST_SEED + options.seed, documents: DOCUMENTS },
    batch: { rows: SHAPE.batchSize, sequenceLength: SHAPE.sequenceLength },
    schedule: { kind: 'cosine', warmupSteps: 20, floor: 0.05 },
    steps: STEPS,
    learningRate: 8e-3,
    weightDecay: 0.1,
  } as const;
  return {
    title: 'LoopRPT and its strongest baseline in a new domain',
    dataName: `${JUDGED} held-out word problems`,
    notes: [
      `The base knows symbolic tasks and no English. All arms start from it and read the same ${DOCUMENTS} word problems three times, ${STEPS} steps.`,
      'The model is small (171,000 weights) and this is one training seed. The study of transfer has five, tuned settings and equal compute.',
    ],
    base: TRANSFER_BASE,
    arms: TRANSFER_ARMS,
    config: (arm) => armConfig(arm, { model: { from: TRANSFER_BASE }, training }, options),
    async heldOut() {
      const tokenizer = await Tokenizer.load(TRANSFER_BASE);
      const source = new TokenizedTaskSource({
        id: 'held-out documents',
        documentAt: (index) => documentAt(TASK, 0, 'heldout', index),
        tokenizer,
        length: JUDGED,
      });
      return batchesOf(source, SHAPE, tokenizer.padId);
    },
  };
}
