/** `preset: NAME` in a recipe: the named settings under what the recipe says itself. */

import type { Settings } from '../base/settings/assign.js';
import { UserError } from '../base/user-error.js';
import { PRESETS, type PresetName, presets } from './presets.js';

/**
 * Puts the settings that `preset` stands for under those that are there, and takes the key away; without it nothing changes.
 * @param where named in errors
 * @throws UserError for a name that is none, and for an objective that has no presets
 */
export function expandPreset(settings: Settings, where: string): void {
  const name = settings.preset;
  if (name === undefined) return;
  delete settings.preset;
  const names = Object.keys(PRESETS).join(', ');
  if (!isName(name)) throw new UserError(`${where}: preset: ${JSON.stringify(name)} is none of ${names}`);
  const objective = settings.objective ?? {};
  const { kind = 'looprpt' } = objective as { kind?: unknown };
  if (kind !== 'looprpt')
    throw new UserError(
      `${where}: preset: ${name} is for objective.kind looprpt, and the recipe says ${JSON.stringify(kind)}: leave one of them out`,
    );
  const preset = presets[name];
  settings.objective = under(objective, preset.objective);
  settings.optimizer = under(settings.optimizer ?? {}, preset.optimizer);
  settings.teacherDecay ??= preset.teacherDecay;
  settings.blend ??= preset.blend;
}

function isName(name: unknown): name is PresetName {
  return typeof name === 'string' && Object.hasOwn(PRESETS, name);
}

/** What is no group of settings is left for the schema to complain of. */
function under(settings: unknown, preset: Settings): unknown {
  return typeof settings === 'object' && !Array.isArray(settings) ? { ...preset, ...settings } : settings;
}
