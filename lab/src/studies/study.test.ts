/** A study is refused where its comparison would not be fair; the ones that ship are well-formed. */
import { join } from 'node:path';
import { UserError } from 'looprpt/internal/base/user-error.js';
import { tokenizeDocuments } from 'looprpt/internal/data/shards/token-document.js';
import { documentAt, taskConfig } from 'looprpt/internal/data/tasks/index.js';
import { Tokenizer } from 'looprpt/internal/text/tokenizer.js';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../packages/looprpt/test-support/temporary-folder.js';
import { heldOutBatches } from './batches.js';
import { prepareCorpus } from './corpus.js';
import { select } from './select.js';
import { shippedModel } from './shipped.js';
import { Store } from './store.js';
import { STUDIES } from './studies/index.js';
import { tinyStudy } from './tiny-study.js';

describe('a study', () => {
  const arms = tinyStudy().arms;

  it('tries as many settings for one arm as for the others', () => {
    const greedy = arms.map((arm) => (arm.name === 'looprpt' ? { ...arm, grid: { learningRate: [1, 2, 3] } } : arm));
    expect(() => tinyStudy({ arms: greedy })).toThrow(/looprpt has 3 settings to try, the others 2/);
    const traded = arms.map((arm) =>
      arm.name === 'looprpt' ? { ...arm, learningRate: 1, grid: { rho: [0.1, 1] } } : arm,
    );
    expect(() => tinyStudy({ arms: traded })).not.toThrow();
  });

  it('reports no seed that it was tuned with', () => {
    expect(() => tinyStudy({ seeds: [6, 7] })).toThrow('seed 7 tunes and reports');
  });

  it('has a base, arms of different names, and the arm whose compute all get', () => {
    expect(() => tinyStudy({ arms: arms.filter(({ role }) => role !== 'base') })).toThrow('no arm has the role base');
    expect(() => tinyStudy({ arms: [...arms, arms[1]!] })).toThrow('two arms named');
    expect(() => tinyStudy({ equalCompute: 'nobody' })).toThrow('no trained arm is named nobody');
    expect(() => tinyStudy({ equalCompute: 'base' })).toThrow('no trained arm is named base');
  });

  it('compares nothing for equal tokens alone that others are held against', () => {
    expect(() => tinyStudy({ equalTokensOnly: ['nobody'] })).toThrow('no arm is named nobody');
    expect(() => tinyStudy({ equalTokensOnly: ['looprpt'] })).toThrow('looprpt is whose compute is equal');
    const baseline = arms.find(({ role }) => role === 'baseline')!.name;
    expect(() => tinyStudy({ equalTokensOnly: [baseline] })).toThrow(`${baseline} is what others are held against`);
  });
});

describe('the studies', () => {
  it('have names of their own, all regimes, and at least five seeds; the one of 17M weights has three', () => {
    expect(new Set(STUDIES.map(({ name }) => name)).size).toBe(STUDIES.length);
    expect(new Set(STUDIES.map(({ regime }) => regime))).toEqual(new Set(['a', 'b', 'c', 'd']));
    for (const { name, seeds } of STUDIES)
      expect(seeds.length).toBeGreaterThanOrEqual(name === 'transfer-large' ? 3 : 5);
  });
});

describe('the studies of generated tasks', () => {
  it('have rows that hold a whole document, and are filled by one', async () => {
    const { path } = temporaryFolder();
    for (const { corpus, training, base, name } of STUDIES) {
      if (corpus.kind !== 'task' || 'shipped' in base) continue;
      const ready = await prepareCorpus(new Store(path), corpus, { inputs: {}, tokenizer: null });
      const tokenizer = await Tokenizer.load(join(path, ready.tokenizer));
      const documents = Array.from({ length: 50 }, (_, i) => documentAt(corpus.task, 3, 'train', i));
      const places = (await tokenizeDocuments(tokenizer, documents)).map(({ ids }) => ids.length - 1);
      expect([name, Math.max(...places)]).toEqual([name, training.batch.sequenceLength]);
      expect({ ...base.batch, rows: training.batch.rows }).toEqual(training.batch);
    }
  });

  it('are tuned on as many documents as are held out, or as many as they say', async () => {
    const { path } = temporaryFolder();
    const task = taskConfig('hop');
    const judged = async (tuning?: number): Promise<number[]> => {
      const corpus = {
        kind: 'task',
        task,
        vocabulary: 300,
        heldOut: 24,
        heldOutFrom: 0,
        ...(tuning && { tuning }),
      } as const;
      const { heldOut } = await prepareCorpus(new Store(path), corpus, { inputs: {}, tokenizer: 'unused' });
      return (['heldout', 'tune'] as const).map((judge) => (heldOut(judge) as { documents: number }).documents);
    };
    expect(await judged()).toEqual([24, 24]);
    expect(await judged(6)).toEqual([24, 6]);
  });

  it('can be judged on documents behind the first ones', async () => {
    const { path } = temporaryFolder();
    const tokenizer = shippedModel('hop-base');
    const corpus = { kind: 'task', task: taskConfig('hop'), vocabulary: 300 } as const;
    const judges = async (heldOut: number, heldOutFrom: number) => {
      const ready = await prepareCorpus(
        new Store(path),
        { ...corpus, heldOut, heldOutFrom },
        { inputs: {}, tokenizer },
      );
      const shape = { rows: 1, sequenceLength: 256, pack: 'whole' } as const;
      return heldOutBatches(path, ready.heldOut('heldout'), shape, await Tokenizer.load(tokenizer));
    };
    const [all, later] = [await judges(5, 0), await judges(3, 2)];
    // Documents are numbered from the first that is read.
    const shifted = later.map((batch) => ({
      ...batch,
      documentIds: batch.documentIds.map((id) => (id < 0 ? id : id + 2)),
    }));
    expect(shifted).toEqual(all.slice(2));
  });
});

describe('a part of a study', () => {
  const whole = tinyStudy();
  const names = (study: typeof whole): string[] => study.arms.map(({ name }) => name);

  it('is the whole when nothing is asked for', () => {
    expect(select(whole, { quick: false })).toEqual(whole);
  });

  it('keeps the base and the arm of equal compute', () => {
    expect(names(select(whole, { arms: ['gate'], quick: false }))).toEqual(['base', 'gate', 'looprpt']);
    expect(() => select(whole, { arms: ['gate', 'gaet'], quick: false })).toThrow(UserError);
    const variant = whole.arms.find(({ role }) => role === 'variant')!.name;
    const partly = tinyStudy({ equalTokensOnly: [variant] });
    expect(select(partly, { arms: ['gate'], quick: false }).equalTokensOnly).toEqual([]);
    expect(select(partly, { arms: [variant], quick: false }).equalTokensOnly).toEqual([variant]);
  });

  it('takes the first seeds, and further ones that nothing else uses', () => {
    expect(select(whole, { seeds: 1, quick: false }).seeds).toEqual([1]);
    expect(select(whole, { seeds: 4, quick: false }).seeds).toEqual([1, 2, 8, 9]);
  });
});
