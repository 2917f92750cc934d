/**
 * The settings of `task:NAME` in an evaluation: those that the model was trained on, with what the user sets on top. Where the two
 * differ, or nobody knows what the model was trained on, that is said: the numbers mean something else then.
 */
import { isDeepStrictEqual } from 'node:util';
import { type TaskConfig, taskConfig } from '../data/tasks/index.js';

export interface TaskSettings {
  config: TaskConfig;
  /** Sentences for the user. */
  notes: string[];
}

/** A model and the task that it was trained on, as far as it says. */
export interface TrainedModel {
  name: string;
  task: TaskConfig | null;
}

/**
 * @param settings what the user sets, by name
 * @throws UserError naming a setting that the task does not have
 */
export function taskSettings(
  task: string,
  settings: Readonly<Record<string, unknown>>,
  { name, task: trained }: TrainedModel,
): TaskSettings {
  const own = partFor(task, trained);
  const config = taskConfig(task, { ...own, ...settings });
  if (own === null) return { config, notes: [unknown(task, name, trained)] };
  const differing = differences(config, own);
  if (differing.length > 0) return { config, notes: [warning(task, name, differing)] };
  const special = differences(own, taskConfig(task)).map(({ key, here }) => `${key}=${here}`);
  return {
    config,
    notes: [`task:${task} as ${name} was trained on it${special.length ? `: ${special.join(' ')}` : ''}`],
  };
}

/** What to say of another model that is judged on the same documents; null where nothing is amiss. */
export function otherSettings(config: TaskConfig, { name, task: trained }: TrainedModel): string | null {
  const own = partFor(config.task, trained);
  if (own === null) return trained === null ? null : unknown(config.task, name, trained);
  const differing = differences(config, own);
  return differing.length === 0 ? null : warning(config.task, name, differing);
}

/** The trained task itself, or the one part of a mixture that is this task. */
function partFor(task: string, trained: TaskConfig | null): TaskConfig | null {
  if (trained === null || trained.task === task) return trained;
  if (trained.task !== 'mixture') return null;
  const parts = trained.parts.filter(({ config }) => config.task === task);
  return parts.length === 1 ? parts[0]!.config : null;
}

interface Difference {
  key: string;
  here: string;
  there: string;
}

function differences(here: TaskConfig, there: TaskConfig): Difference[] {
  const [a, b] = [here, there] as unknown as Record<string, unknown>[];
  return [...new Set([...Object.keys(here), ...Object.keys(there)])]
    .filter((key) => !isDeepStrictEqual(a![key], b![key]))
    .map((key) => ({ key, here: shown(a![key]), there: shown(b![key]) }));
}

function shown(value: unknown): string {
  return value === undefined ? 'not set' : JSON.stringify(value);
}

function warning(task: string, name: string, differing: readonly Difference[]): string {
  const each = differing.map(({ key, here, there }) => `${key} is ${here}, in training ${there}`);
  return `warning: task:${task} differs from what ${name} was trained on: ${each.join('; ')}`;
}

function unknown(task: string, name: string, trained: TaskConfig | null): string {
  const why = trained === null ? 'does not say what it was trained on' : `was trained on task:${trained.task}`;
  return `warning: ${name} ${why}; task:${task} has its defaults but for what --set says`;
}
