/** Shapes: B rows, S places in a row. A place is named by (document, t): input id t, target id t + 1. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UserError } from '../../base/user-error.js';
import type { TokenDocument } from '../shards/token-document.js';
import { emptyBatch, type PackedBatch } from './batch.js';
import { permutation } from './document-order.js';
import type { DocumentSource } from './document-source.js';
import { type LoaderConfig, loaderConfig, PackedLoader } from './packed-loader.js';

/** Every id of every document is different, so that a place can be recognised in a batch. */
function source(
  lengths: readonly number[],
  options: { masked?: boolean; late?: boolean; inPieces?: boolean } = {},
): DocumentSource {
  const documents: TokenDocument[] = [];
  let id = 1;
  for (const length of lengths) {
    const ids = Int32Array.from({ length }, () => id++);
    const loss =
      options.masked && documents.length % 2 === 0 ? Uint8Array.from(ids, (each) => (each % 3 ? 1 : 0)) : null;
    documents.push({ ids, loss });
  }
  const tokens = (index: number) => documents[index]!;
  const late = async (index: number) => documents[index]!;
  const idCounts = () => (options.late ? Promise.resolve(lengths) : lengths);
  const found = { id: `test ${lengths}`, length: documents.length, tokens: options.late ? late : tokens };
  return options.inPieces ? { ...found, idCounts } : found;
}

const config = (given: Partial<LoaderConfig>) =>
  loaderConfig.parse({ batchSize: 2, sequenceLength: 4, shuffle: false, ...given });

async function all(loader: PackedLoader): Promise<PackedBatch[]> {
  const batches: PackedBatch[] = [];
  for await (const batch of loader) batches.push(batch);
  return batches;
}

/** The rows of batches as plain lists of `input>target`, segments marked by brackets. */
function rows(batches: readonly PackedBatch[]): number[][][] {
  return batches.flatMap(({ B, S, inputIds, targetIds, segmentIds }) =>
    Array.from({ length: B }, (_, b) => {
      const segments: number[][] = [];
      for (let i = b * S; i < (b + 1) * S; i++) {
        if (segmentIds[i] === -1) continue;
        segments[segmentIds[i]!] ??= [];
        segments[segmentIds[i]!]!.push(inputIds[i]!);
        expect(targetIds[i]).toBe(inputIds[i]! + 1);
      }
      return segments;
    }),
  );
}

const withoutEmpty = (given: number[][][]) => given.filter((row) => row.length > 0);

/** The documents' places by their input ids, in the order of visits. */
function places(lengths: readonly number[], visits: readonly number[]): number[][] {
  const starts = lengths.map((_, i) => 1 + lengths.slice(0, i).reduce((sum, length) => sum + length, 0));
  return visits
    .map((i) => Array.from({ length: Math.max(0, lengths[i]! - 1) }, (_, t) => starts[i]! + t))
    .filter((ids) => ids.length > 0);
}

/** The places of every piece of every document, by the obvious slicing. */
function piecesOf(lengths: readonly number[], S: number): number[][] {
  return places(lengths, [...lengths.keys()]).flatMap((ids) =>
    Array.from({ length: Math.ceil(ids.length / S) }, (_, p) => ids.slice(p * S, p * S + S)),
  );
}

/** Greedy with pieces, the obvious way: those as long as a row are rows; the others are one long list, chopped as it grows. */
function slowGreedyPieces(pieces: readonly number[][], S: number): number[][][] {
  const result: number[][][] = [];
  let list: number[][] = [];
  const places = (): number => list.reduce((sum, ids) => sum + ids.length, 0);
  const chop = (): void => {
    const row: number[][] = [];
    for (let room = S; room > 0 && list.length > 0; ) {
      row.push(list[0]!.splice(0, room));
      room -= row.at(-1)!.length;
      if (list[0]!.length === 0) list = list.slice(1);
    }
    result.push(row);
  };
  for (const piece of pieces) {
    if (piece.length === S) result.push([piece]);
    else list.push([...piece]);
    if (places() >= S) chop();
  }
  if (places() > 0) chop();
  return result;
}

/** Greedy, the obvious way: one long list, chopped. */
function slowGreedy(documents: readonly number[][], S: number): number[][][] {
  const stream = documents.flatMap((ids, document) => ids.map((id) => ({ id, document })));
  const result: number[][][] = [];
  for (let at = 0; at < stream.length; at += S) {
    const row = stream.slice(at, at + S);
    const present = [...new Set(row.map((place) => place.document))];
    result.push(present.map((document) => row.filter((place) => place.document === document).map((place) => place.id)));
  }
  return result;
}

/** Whole, the obvious way: for each row look through everything that is left, until `window` of it did not fit. */
function slowWhole(documents: readonly number[][], S: number, window: number): number[][][] {
  let left = documents.map((ids) => [...ids]);
  const result: number[][][] = [];
  while (left.length > 0) {
    const row: number[][] = [];
    let room = S;
    let refused = 0;
    for (const ids of left) {
      if (room === 0 || refused === window) break;
      if (Math.min(ids.length, S) > room) {
        refused++;
        continue;
      }
      row.push(ids.splice(0, S));
      room -= row.at(-1)!.length;
    }
    left = left.filter((ids) => ids.length > 0);
    result.push(row);
  }
  return result;
}

const lengths = fc
  .array(fc.integer({ min: 1, max: 14 }), { minLength: 1, maxLength: 20 })
  .filter((list) => Math.max(...list) > 1);
const settings = fc.record({
  batchSize: fc.integer({ min: 1, max: 3 }),
  sequenceLength: fc.integer({ min: 1, max: 9 }),
  pack: fc.constantFrom('greedy' as const, 'whole' as const),
  window: fc.integer({ min: 1, max: 5 }),
  epochs: fc.integer({ min: 1, max: 3 }),
  shuffle: fc.boolean(),
  seed: fc.integer({ min: 0, max: 9 }),
});

test('packs as the obvious packers do', async () => {
  await fc.assert(
    fc.asyncProperty(lengths, settings, fc.boolean(), async (given, options, late) => {
      const { epochs, sequenceLength: S, window, pack, shuffle, seed } = options;
      const visits = Array.from({ length: epochs }, (_, epoch) =>
        shuffle ? [...permutation(given.length, seed, epoch)] : [...given.keys()],
      ).flat();
      const documents = places(given, visits);
      const expected = pack === 'greedy' ? slowGreedy(documents, S) : slowWhole(documents, S, window);
      const batches = await all(new PackedLoader(source(given, { late }), config(options)));
      expect(withoutEmpty(rows(batches))).toEqual(expected);
      expect(batches.length).toBe(Math.ceil(expected.length / options.batchSize));
    }),
    { numRuns: 300 },
  );
});

test('cuts long documents into pieces and mixes them with all others, as the obvious packers do', async () => {
  await fc.assert(
    fc.asyncProperty(lengths, settings, fc.boolean(), async (given, options, late) => {
      const { epochs, sequenceLength: S, window, pack, seed } = options;
      const pieces = piecesOf(given, S);
      // Where none is longer than a row there is nothing to cut, and rows are packed as ever.
      const some = given.some((length) => length - 1 > S);
      const plain = places(given, [...given.keys()]);
      fc.pre(some || plain.length === given.length);
      const visited = Array.from({ length: epochs }, (_, epoch) =>
        [...permutation(pieces.length, seed, epoch)].map((piece) => pieces[piece]!),
      ).flat();
      const greedy = some ? slowGreedyPieces : slowGreedy;
      const expected = pack === 'greedy' ? greedy(visited, S) : slowWhole(visited, S, window);
      const loader = new PackedLoader(source(given, { late, inPieces: true }), config({ ...options, shuffle: true }));
      expect(withoutEmpty(rows(await all(loader)))).toEqual(expected);
    }),
    { numRuns: 300 },
  );
});

test('read in order, documents that could be cut are not', async () => {
  await fc.assert(
    fc.asyncProperty(lengths, settings, async (given, options) => {
      const inOrder = config({ ...options, shuffle: false });
      const cut = new PackedLoader(source(given, { inPieces: true }), inOrder);
      const whole = new PackedLoader(source(given), inOrder);
      expect(cut.state()).toEqual(whole.state());
      expect(await all(cut)).toEqual(await all(whole));
    }),
    { numRuns: 50 },
  );
});

test('the pieces of a book come spread over the whole epoch', async () => {
  const S = 8;
  // Two books of 400 rows each, and a few short texts.
  const books = [400 * S + 1, 400 * S + 1, 5, 3, 6];
  const loader = new PackedLoader(
    source(books, { inPieces: true }),
    config({ batchSize: 1, sequenceLength: S, shuffle: true, seed: 4 }),
  );
  const batches = await all(loader);
  const first = batches.map(({ documentIds }) => documentIds[0]!);
  const full = first.filter((document) => document < 2);
  expect(full).toHaveLength(800);
  // In order, one half of the epoch would be one book's; shuffled, each quarter has both in about equal parts.
  for (let quarter = 0; quarter < 4; quarter++) {
    const ofFirst = full.slice(quarter * 200, quarter * 200 + 200).filter((document) => document === 0).length;
    // 100 by expectation, with a standard deviation of six.
    expect(Math.abs(ofFirst - 100)).toBeLessThan(30);
  }
  // Every row of a book is one piece with its whole context.
  for (const { documentIds, segmentIds, positionIds } of batches.filter((_, i) => first[i]! < 2)) {
    expect(new Set(documentIds).size).toBe(1);
    expect([...segmentIds]).toEqual(Array(S).fill(0));
    expect([...positionIds]).toEqual([...Array(S).keys()]);
  }
});

test('an epoch has every place of every document once, and whole documents stay whole', async () => {
  await fc.assert(
    fc.asyncProperty(lengths, settings, fc.boolean(), async (given, options, inPieces) => {
      const batches = await all(new PackedLoader(source(given, { inPieces }), config({ ...options, epochs: 1 })));
      const seen = rows(batches).flat();
      const everything = places(given, [...given.keys()]);
      expect(seen.flat().sort((a, b) => a - b)).toEqual(everything.flat());
      expect(batches.reduce((sum, batch) => sum + batch.tokens, 0)).toBe(everything.flat().length);
      if (options.pack === 'greedy') return;
      for (const ids of everything) {
        if (ids.length <= options.sequenceLength) expect(seen).toContainEqual(ids);
      }
    }),
  );
});

test('positions, masks and padding are right everywhere', async () => {
  await fc.assert(
    fc.asyncProperty(lengths, settings, async (given, options) => {
      const masked = source(given, { masked: true });
      const documentOf = given.flatMap((length, i) => Array.from({ length }, () => i));
      for (const batch of await all(new PackedLoader(masked, config(options), { padId: 7 }))) {
        const of = Array.from(batch.inputIds, (id, i) => (batch.segmentIds[i] === -1 ? -1 : documentOf[id - 1]));
        expect([...batch.documentIds]).toEqual(of);
        let counted = 0;
        for (let i = 0; i < batch.B * batch.S; i++) {
          const segment = batch.segmentIds[i]!;
          const first = i % batch.S === 0 || batch.segmentIds[i - 1] !== segment;
          const target = batch.targetIds[i]!;
          if (segment === -1) {
            const padding = [batch.inputIds[i], target, batch.positionIds[i], batch.lossMask[i]];
            expect(padding).toEqual([7, 7, 0, 0]);
          } else {
            expect(batch.positionIds[i]).toBe(first ? 0 : batch.positionIds[i - 1]! + 1);
            const masks = documentOf[target - 1]! % 2 === 0;
            expect(batch.lossMask[i]).toBe(masks && target % 3 === 0 ? 0 : 1);
          }
          counted += batch.lossMask[i]!;
        }
        expect(batch.lossTokens).toBe(counted);
      }
    }),
  );
});

test('resumed at any batch, it goes on as if uninterrupted', async () => {
  await fc.assert(
    fc.asyncProperty(lengths, settings, fc.boolean(), async (given, options, inPieces) => {
      const whole = new PackedLoader(source(given, { inPieces }), config(options));
      const states = [JSON.stringify(whole.state())];
      const batches: PackedBatch[] = [];
      for await (const batch of whole) {
        batches.push(batch);
        states.push(JSON.stringify(whole.state()));
      }
      for (const [at, state] of states.entries()) {
        const resumed = new PackedLoader(source(given, { inPieces }), config(options));
        resumed.restore(JSON.parse(state));
        expect(await all(resumed)).toEqual(batches.slice(at));
      }
    }),
    { numRuns: 100 },
  );
});

test('a position of a version that read long documents in order goes on in order', async () => {
  const options = config({ shuffle: true, epochs: 2, seed: 5 });
  const before = new PackedLoader(source([9, 30, 4, 17]), options);
  for (let i = 0; i < 3; i++) await before.next();
  const state = JSON.stringify(before.state());
  const now = new PackedLoader(source([9, 30, 4, 17], { inPieces: true }), options);
  now.restore(JSON.parse(state));
  expect(JSON.stringify(now.state())).toBe(state);
  const rest = await all(before);
  expect(await all(now)).toEqual(rest);
  const fresh = new PackedLoader(source([9, 30, 4, 17], { inPieces: true }), options);
  const inPieces = fresh.state();
  expect((await all(fresh)).slice(3)).not.toEqual(rest);
  expect(() => new PackedLoader(source([9, 30, 4, 17]), options).restore(inPieces)).toThrow(/in pieces/);
});

test('the ranks together see what one process sees, also after a resume with another number of ranks', async () => {
  await fc.assert(
    fc.asyncProperty(lengths, settings, fc.integer({ min: 1, max: 4 }), async (given, options, worldSize) => {
      const documents = () => source(given, { inPieces: options.seed % 2 === 0 });
      const single = new PackedLoader(documents(), config({ ...options, batchSize: options.batchSize * worldSize }));
      const ranks = Array.from(
        { length: worldSize },
        (_, rank) => new PackedLoader(documents(), config(options), { rank, worldSize }),
      );
      const start = await single.next();
      const parts = await Promise.all(ranks.map((loader) => loader.next()));
      expect(interleaved(parts.map((part) => part!))).toEqual(rows([start!]));
      for (const loader of ranks) expect(loader.state()).toEqual(single.state());
      ranks[0]!.restore(single.state());
      const rest = await Promise.all(ranks.map(all));
      const expected = await all(single);
      expect(new Set(rest.map((batches) => batches.length))).toEqual(new Set([expected.length]));
      for (const [i, batch] of expected.entries()) {
        expect(interleaved(rest.map((batches) => batches[i]!))).toEqual(rows([batch]));
      }
    }),
  );
});

function interleaved(parts: readonly PackedBatch[]): number[][][] {
  const each = parts.map((part) => rows([part]));
  return each[0]!.flatMap((_, row) => each.map((rank) => rank[row]!));
}

describe('order', () => {
  test('each epoch is a permutation of its own, the same for the same seed', () => {
    const sorted = [...permutation(100, 3, 0)].sort((a, b) => a - b);
    expect(sorted).toEqual([...Array(100).keys()]);
    expect(permutation(100, 3, 0)).toEqual(permutation(100, 3, 0));
    expect(permutation(100, 3, 0)).not.toEqual(permutation(100, 3, 1));
    expect(permutation(100, 3, 0)).not.toEqual(permutation(100, 4, 0));
  });

  test('all orders are equally likely', () => {
    const seen = new Map<string, number>();
    for (let epoch = 0; epoch < 6000; epoch++) {
      const order = permutation(3, 1, epoch).join('');
      seen.set(order, (seen.get(order) ?? 0) + 1);
    }
    expect(seen.size).toBe(6);
    // Five standard deviations around 1000.
    for (const count of seen.values()) expect(Math.abs(count - 1000)).toBeLessThan(145);
  });

  test('without end, epochs follow each other', async () => {
    const loader = new PackedLoader(source([3, 4]), config({ epochs: null, batchSize: 1, sequenceLength: 5 }));
    for (let i = 0; i < 10; i++) expect((await loader.next())!.tokens).toBe(5);
    expect(loader.epoch).toBe(9);
  });
});

test('arrays can be used again', async () => {
  const options = config({ batchSize: 2, sequenceLength: 3 });
  const fresh = await all(new PackedLoader(source([4, 9, 3], { masked: true }), options));
  const loader = new PackedLoader(source([4, 9, 3], { masked: true }), options);
  const into = emptyBatch(2, 3);
  for (const expected of fresh) {
    expect(await loader.next(into)).toBe(into);
    expect(into).toEqual(expected);
  }
  expect(await loader.next(into)).toBeNull();
});

describe('mistakes', () => {
  test('a position of other data or settings, or a damaged one, is refused', () => {
    const loader = new PackedLoader(source([3, 4]), config({}));
    const state = loader.state();
    expect(() => new PackedLoader(source([3, 5]), config({})).restore(state)).toThrow(UserError);
    expect(() => new PackedLoader(source([3, 4]), config({ sequenceLength: 5 })).restore(state)).toThrow(
      /rows of 4.*rows of 5/,
    );
    expect(() => new PackedLoader(source([3, 4]), config({ shuffle: true })).restore(state)).toThrow(UserError);
    expect(() => loader.restore({ ...state, position: -1 })).toThrow(/damaged: position/);
    expect(() => loader.restore(null)).toThrow(/damaged/);
  });

  test('documents that are all too short are said to be so', async () => {
    await expect(new PackedLoader(source([1, 1]), config({ epochs: null })).next()).rejects.toThrow(
      /nothing to predict/,
    );
    const cut = new PackedLoader(source([1, 1], { inPieces: true }), config({ epochs: null, shuffle: true }));
    await expect(cut.next()).rejects.toThrow(/nothing to predict/);
    expect(await new PackedLoader(source([1, 1]), config({})).next()).toBeNull();
    expect(await new PackedLoader(source([]), config({ epochs: null })).next()).toBeNull();
  });
});
