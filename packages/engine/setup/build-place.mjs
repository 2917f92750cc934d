/**
 * Where the addon is built: in the package, or, where LOOPRPT_ENGINE_BUILD names an engine.json, in that file's folder. The
 * second keeps an addon for another libtorch apart, and is what the engine loads while the variable is set.
 */
import path from 'node:path';
import { SettingError } from './setup-error.mjs';

/**
 * @param {string} packageDir
 * @param {NodeJS.ProcessEnv} env
 * @returns {{ buildDir: string, base: string }} base: `engine.json` names the addon relative to it
 * @throws {SettingError} when the variable names a file of another name
 */
export function buildPlace(packageDir, env) {
  const named = env.LOOPRPT_ENGINE_BUILD?.trim();
  if (!named) return { buildDir: path.join(packageDir, 'build'), base: packageDir };
  if (path.basename(named) !== 'engine.json')
    throw new SettingError(
      'LOOPRPT_ENGINE_BUILD',
      `LOOPRPT_ENGINE_BUILD=${named} does not name an engine.json`,
      'a file named engine.json, there or to be made',
    );
  const buildDir = path.dirname(path.resolve(named));
  return { buildDir, base: buildDir };
}
