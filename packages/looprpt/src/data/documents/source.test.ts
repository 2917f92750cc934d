import { describe, expect, test } from 'vitest';
import { collect, temporaryFolder } from '../../../test-support/temporary-folder.js';
import { documentAt, taskConfig, writeDocuments } from '../tasks/index.js';
import { documentSourceSchema, openDocuments } from './source.js';

const open = (config: unknown) => openDocuments(documentSourceSchema.parse(config));

async function read(config: unknown) {
  return collect(
    (async function* () {
      yield* open(config).documents;
    })(),
  );
}

describe('openDocuments', () => {
  test('a generated task read from its file equals the task itself', async () => {
    const folder = temporaryFolder();
    const out = `${folder.path}/hop.jsonl`;
    const config = taskConfig('hop', { queries: 3 });
    await writeDocuments(config, { seed: 5, split: 'tune', count: 6, out });
    const generated = await read({
      kind: 'task',
      config: { task: 'hop', queries: 3 },
      seed: 5,
      split: 'tune',
      count: 6,
    });
    expect(generated).toEqual(Array.from({ length: 6 }, (_, index) => documentAt(config, 5, 'tune', index)));
    expect(await read({ kind: 'files', paths: [out] })).toEqual(generated);
  });

  test('records left out are counted where the caller can see them', async () => {
    const path = temporaryFolder().write('train.jsonl', '{"question":"q","answer":"a #### 1"}\n{}\n');
    const { documents, broken } = open({ kind: 'named', name: 'gsm8k', path, onBroken: 'skip' });
    expect(await collect(documents as AsyncIterable<unknown>)).toHaveLength(1);
    expect(broken.count).toBe(1);
  });

  test('a mixture is its parts one after the other, and counts what all of them left out', async () => {
    const path = temporaryFolder().write('train.jsonl', '{"question":"q","answer":"a #### 1"}\n{}\n');
    const named = { kind: 'named', name: 'gsm8k', path, onBroken: 'skip' };
    const task = { kind: 'task', config: { task: 'hop' }, count: 2 };
    const { documents, broken } = open({ kind: 'mixture', parts: [named, task, named] });
    const texts = (await collect(documents as AsyncIterable<{ text: string }>)).map(({ text }) => text);
    const [ofNamed, ofTask] = [await read(named), await read(task)].map((list) => list.map(({ text }) => text));
    expect(texts).toEqual([...ofNamed!, ...ofTask!, ...ofNamed!]);
    expect(broken.count).toBe(2);
    expect(broken.examples).toHaveLength(2);
  });

  test('unknown settings are refused', () => {
    for (const config of [
      { kind: 'files', paths: ['x'], fields: {} },
      { kind: 'named', name: 'imagenet' },
      { kind: 'web' },
      { kind: 'mixture', parts: [] },
      { kind: 'mixture', parts: [{ kind: 'mixture', parts: [{ kind: 'files', paths: ['x'] }] }] },
    ]) {
      expect(documentSourceSchema.safeParse(config).success).toBe(false);
    }
  });
});
