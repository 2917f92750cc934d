/**
 * Programs on the machine: where one lies on PATH, which C++ compiler there is.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';

/** @param {string} file */
function isProgram(file) {
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return false;
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * @param {string} name a program's name, or its path
 * @param {NodeJS.ProcessEnv} env
 * @returns {string | null} its path
 */
export function which(name, env = process.env) {
  if (name.includes('/')) return isProgram(name) ? name : null;
  const folders = (env.PATH ?? '').split(path.delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => path.join(folder, name)).find(isProgram) ?? null;
}

/**
 * `CXX` (which may carry arguments, `ccache g++`), else the first of c++, g++, clang++ that answers. A `CXX` that does
 * not answer counts as no compiler: another one would be a surprise.
 * @param {NodeJS.ProcessEnv} env
 * @returns {import('./index.mjs').Compiler | null}
 */
export function findCompiler(env = process.env) {
  const named = env.CXX?.trim();
  const candidates = named ? [named.split(/\s+/)] : [['c++'], ['g++'], ['clang++']];
  for (const command of candidates) {
    const [program = '', ...leading] = command;
    if (which(program, env) === null) continue;
    const answer = spawnSync(program, [...leading, '--version'], { env, encoding: 'utf8' });
    if (answer.status === 0) return { command, version: answer.stdout.split('\n')[0]?.trim() ?? '' };
  }
  return null;
}
