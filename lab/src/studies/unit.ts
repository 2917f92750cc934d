/**
 * The units of work of a study: a base to train, or an arm to train from a base and to evaluate. A unit is plain data that says all
 * that decides its result, and its key is a hash of that; where the work is kept is not part of it (paths are relative to the
 * folder of the work).
 */
import { createHash } from 'node:crypto';
import type { TaskConfig } from 'looprpt/internal/data/tasks/index.js';
import type { architectureSchema, RunConfigInput } from 'looprpt/internal/train/run-config.js';
import type { ScheduleConfig } from 'looprpt/internal/train/schedule.js';
import type { z } from 'zod';
import type { ArmSettings } from './arm.js';

/** Raised when a unit's result changes its meaning: results of other formats are made again. */
export const FORMAT = 1;

export interface Recipe {
  steps: number;
  batch: { rows: number; sequenceLength: number; pack: 'greedy' | 'whole' };
  schedule: ScheduleConfig;
  weightDecay: number;
}

/** As `data` of a run; a path of shards is relative. */
export type UnitData = RunConfigInput['data'];

/** What a unit is judged on. */
export type UnitHeldOut =
  | { task: TaskConfig; split: 'heldout' | 'tune'; documents: number; from?: number }
  | { shards: string; batches: number };

export interface BaseUnit {
  kind: 'base';
  format: typeof FORMAT;
  model: z.output<typeof architectureSchema>;
  /** Relative path. */
  tokenizer: string;
  data: UnitData;
  recipe: Recipe;
  learningRate: number;
  beta: number;
  /** Without: float32. */
  dtype?: 'float32' | 'bfloat16';
  seed: number;
  /** Of the engine: a result is the same bit for bit only with the same number. */
  threads: number;
}

/** The base of an arm: a unit's by its key, or one that ships, with a digest of its weights. */
export type BaseOf = { key: string } | { shipped: string; weights: string };

export interface ArmUnit {
  kind: 'arm';
  format: typeof FORMAT;
  base: BaseOf;
  data: UnitData;
  heldOut: UnitHeldOut;
  /** Where the thresholds of the frontier are chosen; without: there is none. */
  thresholdsOn?: UnitHeldOut;
  /** Held-out documents of the base's own data; without: what is forgotten is not measured. */
  general?: UnitHeldOut;
  recipe: Recipe;
  /** Null: the base itself, not trained. */
  settings: ArmSettings | null;
  seed: number;
  threads: number;
}

export type Unit = BaseUnit | ArmUnit;

export function keyOf(unit: Unit): string {
  return digest(JSON.stringify(sorted(unit)));
}

/** 16 hexadecimal digits of SHA-256. */
export function digest(content: string | NodeJS.ArrayBufferView): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 16);
}

/** The same value with the keys of every object in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}
