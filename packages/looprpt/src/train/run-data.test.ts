import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import { TINY_CORPUS, tinyTokenizer } from '../../test-support/tiny-tokenizer.js';
import { MANIFEST } from '../data/shards/manifest.js';
import { prepareShards } from '../data/shards/prepare.js';
import { runConfigSchema } from './run-config.js';
import { openRunData } from './run-data.js';

const tokenizer = await tinyTokenizer();
const books = [0, 1].map((i) => ({ text: Array(200).fill(TINY_CORPUS[i]).join(' ') }));
const config = (data: object, sequenceLength = 16) =>
  runConfigSchema.parse({
    model: { from: 'base' },
    objective: { kind: 'stage1' },
    out: 'run',
    steps: 1,
    data,
    batch: { rows: 1, sequenceLength },
  });

/** Which book each row is of, over an epoch. */
async function order(loader: ReturnType<typeof openRunData>, rows: number): Promise<number[]> {
  const found: number[] = [];
  for (let row = 0; row < rows; row++) found.push((await loader.next())!.documentIds[0]!);
  return found;
}

const changes = (list: number[]) => list.filter((book, i) => i > 0 && book !== list[i - 1]).length;

describe('long documents', () => {
  it('of shards are mixed; those of a version before are read in order, which is said', async () => {
    const shards = join(temporaryFolder().path, 'shards');
    await prepareShards({ documents: books, tokenizer, out: shards, source: 'test' });
    const said: string[] = [];
    const onMessage = (message: string) => said.push(message);
    const open = (sequenceLength?: number) =>
      openRunData(config({ shards }, sequenceLength), tokenizer, undefined, { onMessage });
    expect(changes(await order(open(), 60))).toBeGreaterThan(10);
    expect(said).toEqual([]);

    const path = join(shards, MANIFEST);
    const { longDocuments: _, ...old } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    writeFileSync(path, JSON.stringify(old));
    expect(changes(await order(open(), 60))).toBe(0);
    expect(said).toEqual([expect.stringMatching(/documents longer than a row are read on .* prepare the data anew/)]);
    open(100_000);
    expect(said).toHaveLength(1);
  });

  it('of a list that a program gives are mixed too', async () => {
    const loader = openRunData(config({ given: 'books' }), tokenizer, undefined, { given: books });
    expect(changes(await order(loader, 60))).toBeGreaterThan(10);
  });
});
