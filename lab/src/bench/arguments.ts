/**
 * The arguments of a worker process, the same for ours and for the peer's: what it is, its model and batches, its threads.
 */
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { type BatchShape, type BenchModel, LOOPS } from './cases.js';

/** Files that all workers of a case read. */
export interface CaseFiles {
  /** A checkpoint folder. */
  model: string;
  /** int32, steps × B × (T + 1). */
  tokens: string;
}

export interface WorkerArguments {
  /** A mode of training; ours can also be 'prepare' (writes the files) and 'matmul'. */
  worker: string;
  model: Omit<BenchModel, 'name'>;
  shape: BatchShape;
  threads: number;
  files: CaseFiles;
  /** Of ours. */
  dtype?: 'float32' | 'bfloat16' | undefined;
}

export function toArgv({ worker, model, shape, threads, files }: WorkerArguments): string[] {
  const { hidden, layers, heads, ffn, vocab } = model;
  const numbers = { hidden, layers, heads, ffn, vocab, loops: LOOPS, batch: shape.B, seq: shape.T, threads };
  const options = { worker, ...numbers, model: files.model, tokens: files.tokens };
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

const size = z.coerce.number().int().positive();
const schema = z.strictObject({
  worker: z.string(),
  model: z.string(),
  tokens: z.string(),
  loops: z.literal(String(LOOPS)),
  hidden: size,
  layers: size,
  heads: size,
  ffn: size,
  vocab: size,
  batch: size,
  seq: size,
  threads: size,
  dtype: z.enum(['float32', 'bfloat16']).default('float32'),
});

/** The inverse, for our worker. @throws if anything is missing or unknown */
export function fromArgv(argv: string[]): WorkerArguments {
  const options = Object.fromEntries(Object.keys(schema.shape).map((name) => [name, { type: 'string' as const }]));
  const {
    worker,
    model,
    tokens,
    batch: B,
    seq: T,
    threads,
    dtype,
    ...shape
  } = schema.parse(parseArgs({ args: argv, options }).values);
  const { hidden, layers, heads, ffn, vocab } = shape;
  return {
    worker,
    model: { hidden, layers, heads, ffn, vocab },
    shape: { B, T },
    threads,
    files: { model, tokens },
    dtype,
  };
}
