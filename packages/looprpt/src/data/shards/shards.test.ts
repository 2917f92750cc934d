import { cp, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TINY_CORPUS, tinyTokenizer } from '../../../test-support/tiny-tokenizer.js';
import { UserError } from '../../base/user-error.js';
import type { Document } from '../documents/document.js';
import { loaderConfig, PackedLoader } from '../loader/packed-loader.js';
import { prepareShards } from './prepare.js';
import { ShardSet } from './shard-set.js';
import { tokenizeDocuments } from './token-document.js';

const tokenizer = await tinyTokenizer();
const scratch = await mkdtemp(join(tmpdir(), 'looprpt-shards-'));
let folders = 0;
const folder = () => join(scratch, `set-${folders++}`);

const plain: Document[] = Array.from({ length: 40 }, (_, i) => ({ text: `${TINY_CORPUS[i % 3]} ${i}` }));
const masked: Document[] = plain.map(({ text }, i) => (i % 4 === 0 ? { text, loss: [[3, 9 + i]] } : { text }));

const prepare = (documents: Document[], options: { out: string; shardTokens?: number }) =>
  prepareShards({ documents, tokenizer, source: 'test', ...options });

/** Which pieces of text count, and whether the end does. */
async function counted(document: Document): Promise<string[]> {
  const [{ ids, loss }] = (await tokenizeDocuments(tokenizer, [document])) as [{ ids: Int32Array; loss: Uint8Array }];
  return Array.from(ids, (id) => tokenizer.decode([id])).filter((_, i) => loss[i] === 1);
}

describe('which tokens count', () => {
  test('those that overlap a range, and the end if the last character does', async () => {
    const text = 'what is 12? the answer is 42';
    const at = text.indexOf('42');
    expect(await counted({ text, loss: [[at, text.length]] })).toEqual(['4', '2', '<|endoftext|>']);
    expect(
      await counted({
        text,
        loss: [
          [8, 9],
          [at, at + 1],
        ],
      }),
    ).toEqual(['1', '4']);
    expect(await counted({ text, loss: [] })).toEqual([]);
    expect((await counted({ text, loss: [[0, text.length]] })).join('')).toBe(`${text}<|endoftext|>`);
  });

  test('a token that straddles the border counts, space or not', async () => {
    const text = 'on the mat';
    expect(await counted({ text, loss: [[3, 6]] })).toEqual([' the']);
    expect(await counted({ text, loss: [[2, 6]] })).toEqual([' the']);
  });

  test('ranges are in UTF-16, also behind emoji', async () => {
    const text = '😀👩‍👩‍👧 the 😀 the';
    const at = text.lastIndexOf('the');
    expect(await counted({ text, loss: [[at, at + 3]] })).toEqual([' the', '<|endoftext|>']);
  });

  test('as asking every token about every range', async () => {
    const ranges = fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: 8 }).map((list) => {
      const sorted = list.sort((a, b) => a - b);
      return Array.from({ length: sorted.length >> 1 }, (_, i) => [sorted[2 * i]!, sorted[2 * i + 1]!] as const);
    });
    const text = TINY_CORPUS[2]!.slice(0, 60);
    const { starts, ends } = await tokenizer.encodeWithOffsets(text);
    await fc.assert(
      fc.asyncProperty(ranges, async (loss) => {
        const [made] = await tokenizeDocuments(tokenizer, [{ text, loss }]);
        const expected = Array.from(starts, (start, i) => loss.some(([a, b]) => a < ends[i]! && b > start));
        expected.push(loss.some(([, b]) => b === text.length));
        expect(Array.from(made!.loss!, (mark) => mark === 1)).toEqual(expected);
      }),
    );
  });
});

describe('prepared and opened', () => {
  test.each([
    ['plain', plain],
    ['masked', masked],
  ])('%s documents come back as they were, over several shards', async (_, documents) => {
    const out = folder();
    const manifest = await prepare([...documents, { text: '' }], { out, shardTokens: 300 });
    expect(manifest.shards.length).toBeGreaterThan(3);
    const set = ShardSet.open(out, { tokenizerHash: tokenizer.hash });
    const expected = await tokenizeDocuments(tokenizer, documents);
    expect(set.length).toBe(40);
    expect(manifest.counts).toMatchObject({ documents: 40, emptyDocuments: 1, skippedRecords: 0 });
    expect(manifest.counts.tokens).toBe(expected.reduce((sum, { ids }) => sum + ids.length, 0));
    for (const [i, { ids, loss }] of expected.entries()) {
      const found = set.tokens(i);
      expect([...found.ids]).toEqual([...ids]);
      expect([...(found.loss ?? new Uint8Array(ids.length).fill(1))]).toEqual([
        ...(loss ?? new Uint8Array(ids.length).fill(1)),
      ]);
    }
    const masks = (await readdir(out)).filter((name) => name.endsWith('.loss'));
    expect(masks.length > 0).toBe(documents === masked);
  });

  test('the loader counts what the manifest counts', async () => {
    const out = folder();
    const { counts } = await prepare(masked, { out });
    const loader = new PackedLoader(ShardSet.open(out), loaderConfig.parse({ batchSize: 3, sequenceLength: 32 }));
    let tokens = 0;
    let lossTokens = 0;
    for await (const batch of loader) {
      tokens += batch.tokens;
      lossTokens += batch.lossTokens;
    }
    expect(tokens).toBe(counts.tokens - counts.documents);
    expect(lossTokens).toBe(counts.lossTokens);
    expect(lossTokens).toBeLessThan(tokens);
  });

  test('the manifest says how long documents are read; one of a version before it reads them in order', async () => {
    const out = folder();
    const long: Document = { text: Array(60).fill(TINY_CORPUS[2]).join(' ') };
    await prepare([long, ...plain, long], { out });
    const settings = loaderConfig.parse({ batchSize: 1, sequenceLength: 16, seed: 2 });
    const documentsOf = async (set: ShardSet) => {
      const first: number[] = [];
      for await (const { documentIds } of new PackedLoader(set, settings)) first.push(documentIds[0]!);
      return first;
    };
    const changes = (list: number[]) => list.filter((document, i) => i > 0 && document !== list[i - 1]).length;
    const cut = ShardSet.open(out);
    expect(cut.manifest.longDocuments).toBe('pieces');
    expect(cut.readsInOrder(16)).toBe(false);
    const mixed = await documentsOf(cut);
    expect(changes(mixed)).toBeGreaterThan(mixed.length / 4);

    const path = join(out, 'manifest.json');
    const { longDocuments: _, ...old } = JSON.parse(await readFile(path, 'utf8')) as object & { longDocuments: string };
    await writeFile(path, JSON.stringify(old));
    const inOrder = ShardSet.open(out);
    expect(inOrder.readsInOrder(16)).toBe(true);
    expect(inOrder.readsInOrder(100_000)).toBe(false);
    // Each of the two long documents in one stretch.
    const read = await documentsOf(inOrder);
    expect(new Set(read.slice(read.indexOf(0), read.lastIndexOf(0) + 1))).toEqual(new Set([0]));
    await writeFile(path, JSON.stringify({ ...old, longDocuments: 'at random' }));
    expect(() => ShardSet.open(out)).toThrow(/manifest\.json: longDocuments: /);
  });

  test('the same documents give the same bytes', async () => {
    const [a, b] = [folder(), folder()];
    await prepare(masked, { out: a, shardTokens: 500 });
    await prepare(masked, { out: b, shardTokens: 500 });
    for (const name of await readdir(a)) expect(await readFile(join(b, name))).toEqual(await readFile(join(a, name)));
    expect(ShardSet.open(a).id).toBe(ShardSet.open(b).id);
  });

  test('vocabularies beyond 65,536 entries are stored in 32 bits', async () => {
    const out = folder();
    const wide = Object.assign(Object.create(tokenizer), { vocabSize: 100_000 });
    const manifest = await prepareShards({ documents: plain, tokenizer: wide, out, source: 'test' });
    expect(manifest.dtype).toBe('uint32');
    expect((await stat(join(out, 'shard-00000.tokens'))).size).toBe(4 * manifest.counts.tokens);
    expect([...ShardSet.open(out).tokens(7).ids]).toEqual([
      ...(await tokenizeDocuments(tokenizer, [plain[7]!]))[0]!.ids,
    ]);
  });

  test('nothing stays behind when it fails, and nothing is overwritten', async () => {
    const out = folder();
    const broken = async function* () {
      yield* plain;
      throw new UserError('the input broke off');
    };
    await expect(prepareShards({ documents: broken(), tokenizer, out, source: 'x' })).rejects.toThrow('broke off');
    await expect(prepare([{ text: '' }], { out })).rejects.toThrow(/no text found/);
    expect((await readdir(scratch)).filter((name) => name.includes(out.split('/').at(-1)!))).toEqual([]);
    await prepare(plain, { out });
    await expect(prepare(plain, { out })).rejects.toThrow(/not empty/);
  });
});

describe('a damaged folder gets one clear line', () => {
  const manifest = (change: (manifest: Record<string, never>) => void) => async (dir: string) => {
    const path = join(dir, 'manifest.json');
    const json = JSON.parse(await readFile(path, 'utf8'));
    change(json);
    await writeFile(path, JSON.stringify(json));
  };
  const flip = (name: string, at: number) => async (dir: string) => {
    const bytes = await readFile(join(dir, name));
    bytes[at]! ^= 1;
    await writeFile(join(dir, name), bytes);
  };
  const edit = (path: string, value: unknown) =>
    manifest((json) => {
      const keys = path.split('.');
      const last = keys.pop()!;
      const inner = keys.reduce<Record<string, unknown>>((object, key) => object[key] as Record<string, unknown>, json);
      inner[last] = value;
    });

  const cases: Array<[name: string, harm: (dir: string) => Promise<void>, message: RegExp]> = [
    ['no folder', (dir) => rm(dir, { recursive: true }), /not a folder of token shards/],
    ['no manifest', (dir) => rm(join(dir, 'manifest.json')), /not a folder of token shards/],
    ['not JSON', (dir) => truncate(join(dir, 'manifest.json'), 100), /manifest\.json: not valid JSON/],
    ['another version', edit('version', 2), /manifest\.json: version: /],
    ['an unknown key', edit('extra', 1), /manifest\.json: .*extra/],
    ['counts that disagree', edit('counts.tokens', 5), /counts\.tokens is 5, but the shards have/],
    ['an absurd count', edit('shards.0.tokens', -1), /shards\.0\.tokens/],
    ['a size that disagrees', edit('shards.0.files.offsets.bytes', 4), /4 bytes listed/],
    ['a name outside', edit('shards.0.files.tokens.name', '../x'), /shards\.0\.files\.tokens\.name: must be a plain/],
    ['ids that do not fit', edit('tokenizer.vocabSize', 70000), /uint16 cannot hold/],
    ['a missing file', (dir) => rm(join(dir, 'shard-00001.tokens')), /shard-00001\.tokens: missing/],
    ['a short file', (dir) => truncate(join(dir, 'shard-00000.loss'), 10), /shard-00000\.loss: 10 bytes, but/],
    ['a flipped bit', flip('shard-00000.tokens', 40), /shard-00000\.tokens: the checksum differs/],
    ['a flipped mask', flip('shard-00000.loss', 40), /shard-00000\.loss: the checksum differs/],
  ];
  test.each(cases)('%s', async (_, harm, message) => {
    const sound = folder();
    await prepare(masked, { out: sound, shardTokens: 500 });
    const dir = folder();
    await cp(sound, dir, { recursive: true });
    await harm(dir);
    const error = thrown(() => ShardSet.open(dir));
    expect(error).toBeInstanceOf(UserError);
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('\n');
  });

  test('another tokenizer', async () => {
    const out = folder();
    await prepare(plain, { out });
    expect(() => ShardSet.open(out, { tokenizerHash: 'f'.repeat(64) })).toThrow(/another tokenizer/);
  });

  test('checksums are optional, the order of offsets is not', async () => {
    const out = folder();
    await prepare(plain, { out });
    await flip('shard-00000.tokens', 40)(out);
    expect(ShardSet.open(out, { verify: false }).length).toBe(40);
    await flip('shard-00000.offsets', 3)(out);
    expect(() => ShardSet.open(out, { verify: false })).toThrow(/offsets are out of order/);
  });
});

function thrown(action: () => unknown): Error {
  try {
    action();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}
