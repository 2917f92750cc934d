/** Judging from code: the same numbers as from tables by hand, whatever form data and models come in. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { liveTensors } from '@looprpt/engine';
import { describe, expect, it } from 'vitest';
import { collectGarbage } from '../../../engine/test-support/collect-garbage.js';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import { loadModel } from '../checkpoint/load-model.js';
import { HOP_BASE } from '../checkpoint/shipped.js';
import { documentAt, generatedDocuments, taskConfig } from '../data/tasks/index.js';
import { Tokenizer } from '../text/tokenizer.js';
import { openModel } from '../train/state/open-model.js';
import { heldOutBatches } from './data.js';
import { evaluate } from './evaluate.js';
import { judge } from './judge.js';
import { tableFromModel } from './table-from-model.js';

const config = taskConfig('hop', { compact: true, joined: true, alphabet: 10 });
const COUNT = 12;
const task = { kind: 'task', config, split: 'heldout', count: COUNT } as const;
const quick = { threads: 1, dtype: 'float32' } as const;

describe('judge', () => {
  it('gives what the table of the model gives, and leaves no tensor behind', async () => {
    await collectGarbage();
    const before = liveTensors();
    const { seconds, ...judged } = await judge(HOP_BASE, { data: task, ...quick });
    expect(seconds).toBeGreaterThan(0);
    expect(liveTensors()).toBe(before);
    const { batches } = await heldOutBatches(task, await Tokenizer.load(HOP_BASE));
    const model = loadModel(HOP_BASE);
    const table = await tableFromModel(model, batches());
    const reference = { name: HOP_BASE, entropy: table.entropy.at(-1)! };
    const expected = evaluate(table, { model: HOP_BASE, data: 'hop', config: model.config, reference });
    expect(judged).toEqual({ ...expected, task: config });
    model.dispose();
  });

  it('takes documents from a program, an open model, and files, to the same numbers', async () => {
    const documents = async function* () {
      yield* generatedDocuments(config, { seed: 0, split: 'heldout', count: COUNT });
    };
    const file = join(temporaryFolder().path, 'documents.jsonl');
    const lines = Array.from({ length: COUNT }, (_, i) => JSON.stringify(documentAt(config, 0, 'heldout', i)));
    writeFileSync(file, `${lines.join('\n')}\n`);
    using opened = await openModel(HOP_BASE, quick);
    const bare = { data: '', seconds: 0 };
    const { task: _, ...fromTask } = { ...(await judge(HOP_BASE, { data: task, ...quick })), ...bare };
    expect({ ...(await judge(opened, { data: documents(), ...quick })), ...bare }).toEqual(fromTask);
    expect({ ...(await judge(HOP_BASE, { data: file, ...quick })), ...bare }).toEqual(fromTask);
  });

  it('takes the settings of a task from the model, and says where another model was trained on others', async () => {
    const said: string[] = [];
    const onMessage = (line: string) => said.push(line);
    const asked = { data: { task: 'hop', count: COUNT }, ...quick, onMessage };
    const judged = await judge(HOP_BASE, asked);
    expect(judged.task).toEqual(config);
    expect(judged.perLoop).toEqual((await judge(HOP_BASE, { data: task, ...quick })).perLoop);
    expect(said).toEqual([expect.stringMatching(/^task:hop as .*hop-base was trained on it: alphabet=10/)]);
    await judge(HOP_BASE, { ...asked, data: { task: 'hop', set: { hops: 3 }, count: 2 } });
    await judge(HOP_BASE, {
      ...asked,
      data: { ...task, config: taskConfig('hop', { compact: true, joined: true, alphabet: 10, hops: 5 }), count: 2 },
    });
    expect(said.slice(1)).toEqual([
      expect.stringMatching(/^warning: .* hops is 3, in training 4$/),
      expect.stringMatching(/^warning: .* hops is 5, in training 4$/),
    ]);
  });

  it('compares two models on the same tokens, the difficulty by one of them', async () => {
    const said: string[] = [];
    // The same weights at another place: every difference is zero.
    const { comparisons, reference } = await judge(`${HOP_BASE}/`, {
      data: { ...task, count: 30 },
      ...quick,
      compareWith: HOP_BASE,
      onMessage: (line: string) => said.push(line),
    });
    expect(reference).toBe(HOP_BASE);
    expect(comparisons!.map(({ metric }) => metric)).toContain('area (hard)');
    for (const { a, b, delta, low, high } of comparisons!)
      expect({ a, b, delta, low, high }).toEqual({ a: `${HOP_BASE}/`, b: HOP_BASE, delta: 0, low: 0, high: 0 });
    expect(said).toEqual([]);
  });

  it('cuts difficulty where it is told, and compares the hard tokens by that', async () => {
    const model = loadModel(HOP_BASE);
    const { batches } = await heldOutBatches(task, await Tokenizer.load(HOP_BASE));
    const table = await tableFromModel(model, batches());
    model.dispose();
    const hard = table.entropy.at(-1)!.filter((entropy) => entropy > 0.5).length;
    const judged = await judge(HOP_BASE, { data: task, ...quick, buckets: [0.1, 0.5], thresholds: [0.5] });
    expect(judged.buckets.hard.tokens).toBe(hard);
    expect(judged.adaptive.map(({ tau }) => tau)).toEqual([0.5]);
  });

  it.each<[string, Parameters<typeof judge>[1], RegExp]>([
    ['a setting that is none', { data: { ...task, cuont: 3 } as never }, /data: cuont: no such key; did you mean/],
    ['rows that are none', { data: task, rows: 0 }, /rows: 0 is no whole number from 1/],
    ['nothing to read', { data: [] }, /documents: holds no text/],
    ['an unknown task', { data: 'task:hopp' }, /no task 'hopp'/],
    ['another tokenizer', { data: task, compareWith: 'other' }, /other: has another tokenizer/],
  ])('refuses %s by name', async (_name, options, message) => {
    const other = join(temporaryFolder().path, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'tokenizer.json'), OTHER);
    const named = options.compareWith === 'other' ? { ...options, compareWith: other } : options;
    await expect(judge(HOP_BASE, { ...quick, ...named })).rejects.toThrow(message);
  });
});

const OTHER = JSON.stringify({
  version: '1.0',
  truncation: null,
  padding: null,
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  added_tokens: [
    {
      id: 0,
      content: '<|endoftext|>',
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    },
  ],
  decoder: null,
  model: { type: 'WordLevel', vocab: { '<|endoftext|>': 0, a: 1 }, unk_token: 'a' },
});
