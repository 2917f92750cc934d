/** Real text as a corpus: what is tuned on is never trained on, and what is missing is named. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ShardSet } from 'looprpt/internal/data/shards/shard-set.js';
import { Tokenizer } from 'looprpt/internal/text/tokenizer.js';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../packages/looprpt/test-support/temporary-folder.js';
import { aggregate } from './aggregate.js';
import { conduct } from './conduct.js';
import { prepareCorpus } from './corpus.js';
import { unitRunner } from './run-unit.js';
import { Store } from './store.js';
import type { Corpus } from './study.js';
import { textsOf } from './text-corpus.js';
import { tinyStudy } from './tiny-study.js';

const CORPUS: Corpus = {
  kind: 'text',
  base: ['gsm8k'],
  training: ['gsm8k'],
  heldOut: ['gsm8k'],
  vocabulary: 300,
  heldOutBatches: 2,
};
const TRAINING = 120;

/** A made-up GSM8K in a folder, and a folder for the work. */
function folders(): { store: Store; inputs: { gsm8k: string } } {
  const folder = temporaryFolder();
  const lines = (from: number, count: number): string =>
    Array.from({ length: count }, (_, i) => {
      const [question, answer] = [`What is ${from + i} plus ${i}?`, `It is ${from + 2 * i}.\n#### ${from + 2 * i}`];
      return `${JSON.stringify({ question, answer })}\n`;
    }).join('');
  folder.write('gsm8k/train.jsonl', lines(0, TRAINING));
  folder.write('gsm8k/test.jsonl', lines(5000, 20));
  return { store: new Store(join(folder.path, 'work')), inputs: { gsm8k: join(folder.path, 'gsm8k') } };
}

describe('the corpus', () => {
  it('names each data set that it needs once, and none for a generated task', () => {
    expect(textsOf({ ...CORPUS, base: ['gsm8k', 'omni-math'], heldOut: ['omni-math'] })).toEqual([
      'gsm8k',
      'omni-math',
    ]);
    expect(textsOf(tinyStudy().corpus)).toEqual([]);
  });

  it('keeps tuning and held-out documents out of training', async () => {
    const { store, inputs } = folders();
    const ready = await prepareCorpus(store, CORPUS, { inputs, tokenizer: null });
    const tokenizer = await Tokenizer.load(store.path(ready.tokenizer));
    const textsOf = async (data: { shards: string }): Promise<string[]> => {
      const set = ShardSet.open(store.path(data.shards), { tokenizerHash: tokenizer.hash });
      return Promise.all(
        Array.from({ length: set.length }, async (_, i) => tokenizer.decode(Array.from((await set.tokens(i)).ids))),
      );
    };
    const trained = await textsOf(ready.trainingData(1) as { shards: string });
    const tuned = await textsOf(ready.heldOut('tune') as { shards: string });
    const heldOut = await textsOf(ready.heldOut('heldout') as { shards: string });
    expect(tuned.length).toBeGreaterThan(0);
    expect(trained.length + tuned.length).toBe(TRAINING);
    expect(heldOut).toHaveLength(20);
    expect(new Set([...trained, ...tuned, ...heldOut]).size).toBe(TRAINING + 20);
  });

  it('that was not given is asked for by name', async () => {
    const { store } = folders();
    const asked = (inputs: object) => prepareCorpus(store, CORPUS, { inputs, tokenizer: null });
    await expect(asked({})).rejects.toThrow('--input gsm8k=PATH');
    await expect(asked({ gsm8k: '/nowhere' })).rejects.toThrow('--input gsm8k=/nowhere: no such file or folder');
    expect(existsSync(store.folder)).toBe(false);
  });
});

describe('a study of text', () => {
  it('runs, with one base for all seeds', async () => {
    const { store, inputs } = folders();
    const whole = tinyStudy();
    const batch = { rows: 2, sequenceLength: 48 };
    const study = tinyStudy({
      regime: 'c',
      corpus: CORPUS,
      base: { steps: 2, learningRate: 1e-2, batch, perSeed: false },
      training: { steps: 2, batch },
      arms: whole.arms.filter(({ name }) => ['base', 'looprpt'].includes(name)),
    });
    const conducted = await conduct({
      study,
      store,
      run: unitRunner(store),
      threads: 1,
      inputs,
      budgets: ['tokens'],
      tune: false,
      quiet: true,
    });
    expect(conducted.bases).toHaveLength(1);
    const starts = conducted.runs.flatMap(({ results }) => results.map(({ start }) => start));
    expect(new Set(starts).size).toBe(1);
    const [, looprpt] = conducted.runs;
    const orders = looprpt!.results.map(({ training }) => training!.order.join());
    expect(new Set(orders).size).toBe(2);
    expect(aggregate(conducted, { command: '', whole: false, resamples: 10 }).rows).toHaveLength(2);
  });
});
