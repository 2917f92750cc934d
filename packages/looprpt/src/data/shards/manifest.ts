/**
 * `manifest.json` of a folder of token shards: what is in it, how it was made, and a checksum for every file.
 *
 * Every shard has a file of ids (little-endian, of the manifest's `dtype`), one of document offsets (uint32, documents + 1
 * of them: document d is ids `offsets[d] … offsets[d+1]`), and, if a document of the shard masks a part of its text,
 * one of marks (a byte for each id, 1 where it counts in the loss). No document spans two shards.
 *
 * `longDocuments` says how training reads documents that are longer than its rows: `pieces`, cut into pieces of a row's length that are
 * shuffled with all others, or `in order`, each on to its end before the next begins. Manifests without the line are of versions that
 * read in order, and are read so. Evaluation reads whole documents in their order in any case.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { UserError } from '../../base/user-error.js';
import { oneLine, parseJson } from '../../text/tokenizer-config.js';

export const MANIFEST = 'manifest.json';

const count = z.int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in hexadecimal');

const fileSchema = z.strictObject({
  name: z
    .string()
    .max(255)
    .regex(/^[\w-][\w.-]*$/, 'must be a plain file name'),
  bytes: count,
  sha256,
});

const shardSchema = z.strictObject({
  documents: count.min(1),
  tokens: count.min(1),
  files: z.strictObject({ tokens: fileSchema, offsets: fileSchema, loss: fileSchema.nullable() }),
});

export const manifestSchema = z.strictObject({
  format: z.literal('looprpt-shards'),
  version: z.literal(1),
  /** A label, for instance `train` or `validation`. */
  split: z.string(),
  /** Where the documents came from, for people. */
  source: z.string(),
  tokenizer: z.strictObject({ sha256, vocabSize: count.min(1), endOfText: count }),
  dtype: z.enum(['uint16', 'uint32']),
  longDocuments: z.enum(['in order', 'pieces']).default('in order'),
  counts: z.strictObject({
    documents: count,
    tokens: count,
    /** Targets that count in the loss; the first token of a document is never a target. */
    lossTokens: count,
    /** Left out, because they held no text. */
    emptyDocuments: count,
    /** Left out by the reader, because they were broken. */
    skippedRecords: count,
  }),
  shards: z.array(shardSchema).min(1),
});

export type Manifest = z.output<typeof manifestSchema>;
export type ShardEntry = z.output<typeof shardSchema>;
export type FileEntry = z.output<typeof fileSchema>;

/** Reads and checks the manifest of `dir`: its form, and that its counts agree with each other. */
export function readManifest(dir: string): { manifest: Manifest; text: string } {
  const path = join(dir, MANIFEST);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UserError(`${dir}: not a folder of token shards, make one with "data prepare" (${oneLine(error)})`);
  }
  const parsed = manifestSchema.safeParse(parseJson(path, text));
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new UserError(`${path}: ${issue.path.join('.') || 'top level'}: ${issue.message}`);
  }
  const fault = contradiction(parsed.data);
  if (fault !== null) throw new UserError(`${path}: ${fault}; prepare the data again`);
  return { manifest: parsed.data, text };
}

export function idBytes(dtype: Manifest['dtype']): 2 | 4 {
  return dtype === 'uint16' ? 2 : 4;
}

function contradiction({ counts, dtype, shards, tokenizer }: Manifest): string | null {
  if (dtype === 'uint16' && tokenizer.vocabSize > 65536) return `dtype uint16 cannot hold ${tokenizer.vocabSize} ids`;
  for (const [key, of] of [
    ['documents', (shard: ShardEntry) => shard.documents],
    ['tokens', (shard: ShardEntry) => shard.tokens],
  ] as const) {
    const sum = shards.reduce((total, shard) => total + of(shard), 0);
    if (sum !== counts[key]) return `counts.${key} is ${counts[key]}, but the shards have ${sum}`;
  }
  for (const { documents, tokens, files } of shards) {
    const expected: Array<[FileEntry | null, number]> = [
      [files.tokens, tokens * idBytes(dtype)],
      [files.offsets, (documents + 1) * 4],
      [files.loss, tokens],
    ];
    for (const [file, bytes] of expected) {
      if (file !== null && file.bytes !== bytes) return `${file.name}: ${file.bytes} bytes listed, ${bytes} needed`;
    }
  }
  return null;
}
