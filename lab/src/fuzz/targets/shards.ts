/** Folders of token shards: the manifest, and the files that it lists, with sums that agree and with sums that do not. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { loaderConfig, PackedLoader } from 'looprpt/internal/data/loader/packed-loader.js';
import { ShardSet } from 'looprpt/internal/data/shards/shard-set.js';
import { mutatedBytes } from '../mutate/bytes.js';
import { mutatedJson } from '../mutate/json.js';
import type { CaseFiles, FuzzTarget } from '../target.js';

const VOCABULARY = 50;
const IDS = new Uint8Array(new Uint16Array([5, 6, 7, 0, 8, 9, 10, 11, 0, 12, 49, 0]).buffer);
const OFFSETS = new Uint8Array(new Uint32Array([0, 4, 9, 12]).buffer);
const LOSS = Uint8Array.from([0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0]);

/** A manifest that agrees with its files. */
function manifestOf(ids: Uint8Array, offsets: Uint8Array, loss: Uint8Array) {
  const file = (name: string, bytes: Uint8Array) => ({
    name,
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  });
  const shard = {
    documents: Math.floor(offsets.length / 4) - 1,
    tokens: Math.floor(ids.length / 2),
    files: { tokens: file('a.tokens', ids), offsets: file('a.offsets', offsets), loss: file('a.loss', loss) },
  };
  const counts = {
    documents: shard.documents,
    tokens: shard.tokens,
    lossTokens: 9,
    emptyDocuments: 0,
    skippedRecords: 0,
  };
  const tokenizer = { sha256: '0'.repeat(64), vocabSize: VOCABULARY, endOfText: 0 };
  return {
    format: 'looprpt-shards',
    version: 1,
    split: 'train',
    source: 'here',
    tokenizer,
    dtype: 'uint16',
    counts,
    shards: [shard],
  };
}

function folder(manifest: Uint8Array, ids: Uint8Array, offsets: Uint8Array, loss: Uint8Array): CaseFiles {
  return [
    ['manifest.json', manifest],
    ['a.tokens', ids],
    ['a.offsets', offsets],
    ['a.loss', loss],
  ];
}

const orMutated = (bytes: Uint8Array): fc.Arbitrary<Uint8Array> => fc.oneof(fc.constant(bytes), mutatedBytes(bytes));

export function shards(): FuzzTarget {
  const files = fc.tuple(orMutated(IDS), orMutated(OFFSETS), orMutated(LOSS));
  return {
    cases: fc.oneof(
      mutatedJson(manifestOf(IDS, OFFSETS, LOSS)).map((manifest) => folder(manifest, IDS, OFFSETS, LOSS)),
      fc
        .tuple(mutatedJson(manifestOf(IDS, OFFSETS, LOSS)), files)
        .map(([manifest, [ids, offsets, loss]]) => folder(manifest, ids, offsets, loss)),
      // A manifest that was made to fit the damage.
      files.map(([ids, offsets, loss]) =>
        folder(Buffer.from(JSON.stringify(manifestOf(ids, offsets, loss))), ids, offsets, loss),
      ),
    ),
    async read(path) {
      const set = ShardSet.open(path);
      const { vocabSize } = set.manifest.tokenizer;
      for (let index = 0; index < set.length; index++)
        for (const id of set.tokens(index).ids)
          if (id >= vocabSize) throw new Error(`id ${id} of a vocabulary of ${vocabSize} would reach the model`);
      const loader = new PackedLoader(set, loaderConfig.parse({ batchSize: 2, sequenceLength: 5 }));
      for await (const batch of loader) void batch;
    },
  };
}
