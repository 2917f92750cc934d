/**
 * Generated reasoning tasks: unlimited text in which depth matters and easy and hard tokens mix, deterministic in the
 * seed, with splits that share no problem. Document i of split t of seed s is `documentAt(config, s, t, i)`, a pure
 * function; everything else here is convenience around it.
 */
import { parse as parseYaml } from 'yaml';
import type { z } from 'zod';
import { Rng } from '../../base/rng.js';
import { UserError } from '../../base/user-error.js';
import type { Document } from '../documents/document.js';
import { writeJsonl } from '../documents/write.js';
import { generate, type TaskConfig, taskConfigSchema, taskList } from './mixture.js';
import { belongsTo, type Split, splits } from './split.js';

export { type TaskConfig, taskConfigSchema } from './mixture.js';
export { type Split, splits } from './split.js';

/** Where a task's documents come from. */
export interface TaskStream {
  readonly seed: number;
  readonly split: Split;
}

/**
 * Document `index` of a split.
 *
 * @param config as parsed by `taskConfigSchema` or `taskConfig`
 * @param seed a whole number in 0 … 2^53 − 1
 * @param index a whole number in 0 … 2^53 − 1; any, in any order
 * @throws UserError when the settings allow so few problems that the split has none
 */
export function documentAt(config: TaskConfig, seed: number, split: Split, index: number): Document {
  const rng = Rng.fromSeed(seed).fold(splits.indexOf(split)).fold(index);
  return generate(rng, config, belongsTo(split));
}

/** Documents `from`, `from` + 1, … (`count` of them, by default without end). */
export function* generatedDocuments(
  config: TaskConfig,
  { seed, split, from = 0, count = Number.POSITIVE_INFINITY }: TaskStream & { from?: number; count?: number },
): Generator<Document, void, undefined> {
  for (let index = from; index < from + count; index++) yield documentAt(config, seed, split, index);
}

/**
 * Checks a task's settings and fills in the defaults.
 *
 * @throws UserError naming the setting
 */
export function taskConfig(task: string, settings: Readonly<Record<string, unknown>> = {}): TaskConfig {
  if (!taskList.some(({ name }) => name === task)) {
    throw new UserError(`no task '${task}'; there are: ${taskList.map(({ name }) => name).join(', ')}`);
  }
  const parsed = taskConfigSchema.safeParse({ ...settings, task });
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new UserError(`task '${task}'${path.length > 0 ? `, setting '${path.join('.')}'` : ''}: ${message}`);
}

/**
 * As `taskConfig`, from `key=value` strings as on a command line. Values are YAML: `hops=6`, `operators=[+, "*"]`,
 * `parts=[{weight: 2, config: {task: hop}}]`. A key with dots reaches into a nested setting.
 */
export function taskConfigFromStrings(task: string, assignments: readonly string[]): TaskConfig {
  const settings: Record<string, unknown> = {};
  for (const assignment of assignments) {
    const [, key, value] = /^([^=]+)=([\s\S]*)$/.exec(assignment) ?? [];
    if (key === undefined || value === undefined) {
      throw new UserError(`--set ${assignment}: expected key=value`);
    }
    const path = key.split('.');
    const last = path.pop()!;
    let target = settings;
    for (const step of path) {
      const next: unknown = Object.hasOwn(target, step) ? target[step] : {};
      if (typeof next !== 'object' || next === null) throw new UserError(`--set ${assignment}: '${step}' is no group`);
      target[step] = next;
      target = next as Record<string, unknown>;
    }
    target[last] = parseSetting(assignment, value);
  }
  return taskConfig(task, settings);
}

function parseSetting(assignment: string, value: string): unknown {
  try {
    return parseYaml(value);
  } catch {
    throw new UserError(`--set ${assignment}: the value is no YAML; put quotes around special characters`);
  }
}

export interface TaskSummary {
  readonly name: string;
  readonly describe: string;
  /** Every setting but `task`, with what it means and its default (undefined: none, it is optional). */
  readonly settings: ReadonlyArray<{ readonly name: string; readonly describe: string; readonly default: unknown }>;
}

/** What `data make --list` shows. */
export function listTasks(): TaskSummary[] {
  return taskList.map(({ name, describe, configSchema }) => ({
    name,
    describe,
    settings: Object.entries(configSchema.shape)
      .filter(([setting]) => setting !== 'task')
      .map(([setting, schema]) => {
        const field = schema as z.ZodType;
        return { name: setting, describe: field.description ?? '', default: field.safeParse(undefined).data };
      }),
  }));
}

/**
 * Writes documents 0 … count − 1 of a split as JSONL, one `{"text", "loss", "meta"}` a line. The file appears whole or
 * not at all.
 *
 * @param onProgress called now and then with the number of documents written
 */
export async function writeDocuments(
  config: TaskConfig,
  options: TaskStream & { count: number; out: string; onProgress?: (written: number) => void },
): Promise<void> {
  const { seed, split, count, out, onProgress } = options;
  if (!Number.isSafeInteger(seed) || seed < 0) throw new UserError(`seed ${seed}: must be a whole number from 0`);
  if (!Number.isSafeInteger(count) || count < 1) throw new UserError(`count ${count}: must be a whole number from 1`);
  await writeJsonl(out, generatedDocuments(config, { seed, split, count }), onProgress);
}
