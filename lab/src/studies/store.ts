/**
 * The folder of the work: one JSON file a finished unit, by its key, beside the bases, tokenizers and shards that units need. A unit
 * whose file is there is done; a killed study goes on with the others.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EvalResultSchema } from 'looprpt/internal/eval/result.js';
import { z } from 'zod';
import { encodedSumsSchema } from './document-sums.js';
import { shippedModel } from './shipped.js';
import { type ArmUnit, type BaseOf, type BaseUnit, FORMAT, keyOf, type Unit } from './unit.js';

const trainingSchema = z.object({
  steps: z.number(),
  /** Places that were not padding, and those that counted in the loss. */
  tokens: z.number(),
  lossTokens: z.number(),
  /** CPU time of the steps alone, all threads together, without data and evaluation; other work on the machine changes it by up to a tenth. */
  seconds: z.number(),
  skipped: z.number(),
  /** Digests of all batches up to the first and every `ORDER_EVERY`-th step. */
  order: z.array(z.string()),
});
export type TrainingRecord = z.infer<typeof trainingSchema>;

const baseResultSchema = z.object({
  key: z.string(),
  /** The trained model, relative to the folder of the work. */
  model: z.string(),
  seconds: z.number(),
  tokens: z.number(),
});
export type BaseResult = z.infer<typeof baseResultSchema>;

const armResultSchema = z.object({
  key: z.string(),
  /** Digests of the start weights and of the held-out batches. */
  start: z.string(),
  evaluated: z.string(),
  training: trainingSchema.nullable(),
  /** The interpolation weight that the run chose itself. */
  blend: z.number().exactOptional(),
  evaluation: EvalResultSchema,
  /** general: on the base's own data. */
  sums: z.object({ all: encodedSumsSchema, hard: encodedSumsSchema, general: encodedSumsSchema.exactOptional() }),
  /** The gate's points on the held-out documents, at the thresholds of the frontier, ascending in loops. */
  frontier: z.array(z.object({ meanLoops: z.number(), accuracy: z.number() })).exactOptional(),
  /** Digest of the general batches. */
  general: z.string().exactOptional(),
});
export type ArmResult = z.infer<typeof armResultSchema>;

export type ResultOf<U extends Unit> = U extends BaseUnit ? BaseResult : ArmResult;

const fileSchema = z.object({ format: z.literal(FORMAT), unit: z.unknown(), result: z.unknown() });

export class Store {
  /** @param folder made with the first thing that is written */
  constructor(readonly folder: string) {}

  path(relative: string): string {
    return join(this.folder, relative);
  }

  has(key: string): boolean {
    return existsSync(this.#file(key));
  }

  /** @returns null for a unit that is not done */
  read(unit: BaseUnit): BaseResult | null;
  read(unit: ArmUnit): ArmResult | null;
  read(unit: Unit): BaseResult | ArmResult | null;
  read(unit: Unit): BaseResult | ArmResult | null {
    const key = keyOf(unit);
    if (!this.has(key)) return null;
    const { result } = fileSchema.parse(JSON.parse(readFileSync(this.#file(key), 'utf8')));
    return unit.kind === 'base' ? baseResultSchema.parse(result) : armResultSchema.parse(result);
  }

  /** The folder of the model that an arm starts from, which is there. */
  baseFolder(base: BaseOf): string {
    if ('shipped' in base) return shippedModel(base.shipped);
    const { result } = fileSchema.parse(JSON.parse(readFileSync(this.#file(base.key), 'utf8')));
    return this.path(baseResultSchema.parse(result).model);
  }

  write<U extends Unit>(unit: U, result: ResultOf<U>): void {
    const file = this.#file(result.key);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.partial`, JSON.stringify({ format: FORMAT, unit, result }), { flush: true });
    renameSync(`${file}.partial`, file);
  }

  #file(key: string): string {
    return join(this.folder, 'units', `${key}.json`);
  }
}
