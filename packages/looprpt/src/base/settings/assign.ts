/** `--set key.path=value`: YAML values put into nested settings. */
import { parse as parseYaml } from 'yaml';
import { UserError } from '../user-error.js';

export type Settings = Record<string, unknown>;

/**
 * Changes `settings` in place. A number in the path is an index into a list that is there.
 * @throws UserError for what is no assignment, and for a path through something that is no group
 * @example assign({}, 'optimizer.learningRate=3e-4')
 */
export function assign(settings: Settings, assignment: string): void {
  const [, key, text] = /^([^=\s]+)=([\s\S]*)$/.exec(assignment) ?? [];
  if (key === undefined || text === undefined || key.split('.').some((step) => step === ''))
    throw new UserError(`--set ${assignment}: write key=value, for example --set optimizer.learningRate=1e-3`);
  const path = key.split('.');
  const last = path.pop()!;
  let target: Settings = settings;
  for (const step of path) {
    const next: unknown = Object.hasOwn(target, step) && target[step] !== null ? target[step] : {};
    if (!isGroup(next)) throw new UserError(`--set ${assignment}: '${step}' is a value, not a group`);
    target[step] = next;
    target = next as Settings;
  }
  target[last] = yamlValue(assignment, text);
}

/** What has settings by key or number. YAML's tags make other objects too, bytes for one, whose keys are not to be written. */
export function isGroup(value: unknown): value is Settings {
  return Array.isArray(value) || (typeof value === 'object' && value !== null && isPlain(value));
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Settings made of nothing but assignments. */
export function assigned(assignments: readonly string[]): Settings {
  const settings: Settings = {};
  for (const assignment of assignments) assign(settings, assignment);
  return settings;
}

function yamlValue(assignment: string, text: string): unknown {
  try {
    return parseYaml(text);
  } catch {
    throw new UserError(`--set ${assignment}: the value is not YAML; put quotes around special characters`);
  }
}
