/**
 * Programs on the machine: where one lies on PATH, which C++ compiler there is.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import { SettingError } from './setup-error.mjs';

/** @param {string} file */
function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false; // not there, or in a folder of PATH that cannot be read
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
 * `CXX` (which may carry arguments, `ccache g++`), else the first of c++, g++, clang++ that answers.
 * @param {NodeJS.ProcessEnv} env
 * @returns {import('./index.mjs').Compiler | null}
 * @throws {SettingError} when `CXX` does not answer: another one would be a surprise
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
  if (named) throw new SettingError('CXX', `CXX=${named} does not run`, 'a C++ compiler');
  return null;
}
