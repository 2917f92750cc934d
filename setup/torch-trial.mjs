/**
 * Builds the engine against one version of PyTorch and runs the engine's tests with it, apart from the clone's own build. What it
 * puts on the disk is gone when it has ended, however it ended.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { runChild } from './child.mjs';
import { testsOf } from './version-table.mjs';

/** The newest wheels with their CUDA packages, downloaded and unpacked. */
const DISK_GIB = 12;

/** @typedef {import('../packages/engine/setup/index.mjs').EngineBuild} EngineBuild */

/**
 * @typedef {object} Trial
 * @property {EngineBuild | null} build null where set-up failed
 * @property {number} seconds of set-up
 * @property {{ ok: boolean, text: string }} tests
 */

/**
 * @param {object} what
 * @param {string} what.version `system`, or a version on the index
 * @param {string} what.folder its own, made and deleted here
 * @param {string} what.root of the clone, compiled
 * @returns {Promise<Trial | { reason: string }>} or why it was not tried
 */
export async function tryVersion({ version, folder, root }) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  try {
    const engineFile = path.join(folder, 'build/engine.json');
    /** @type {NodeJS.ProcessEnv} */
    const env = { ...process.env, LOOPRPT_ENGINE_BUILD: engineFile };
    if (version === 'system') env.LIBTORCH = '/usr';
    else {
      const reason = await install(version, folder);
      if (reason !== null) return { reason };
      env.PATH = `${path.join(folder, 'venv/bin')}${path.delimiter}${process.env.PATH ?? ''}`;
      delete env.LIBTORCH;
    }
    const started = performance.now();
    const status = await runChild(process.execPath, ['packages/engine/setup/index.mjs'], { cwd: root, env });
    const seconds = (performance.now() - started) / 1000;
    if (status !== 0) return { build: null, seconds, tests: { ok: false, text: `set-up ended with ${status}` } };
    const build = JSON.parse(readFileSync(engineFile, 'utf8'));
    return { build, seconds, tests: await runTests(folder, root, env) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} version
 * @param {string} folder
 * @returns {Promise<string | null>} why it cannot be had; null when it is there
 */
async function install(version, folder) {
  const { bavail, bsize } = statfsSync(folder);
  const free = (bavail * bsize) / 2 ** 30;
  if (free < DISK_GIB) return `${free.toFixed(0)} GiB are free, ${DISK_GIB} are needed`;
  const python = path.join(folder, 'venv/bin/python');
  const made = spawnSync('python3', ['-m', 'venv', path.join(folder, 'venv')], { encoding: 'utf8' });
  if (made.status !== 0) return `python3 -m venv: ${made.stderr?.trim().split('\n').at(-1) ?? 'does not run'}`;
  const options = ['--disable-pip-version-check', '--no-cache-dir', '--quiet'];
  const status = await runChild(python, ['-m', 'pip', 'install', ...options, `torch==${version}`]);
  return status === 0 ? null : `pip install torch==${version} ended with ${status}`;
}

/**
 * @param {string} folder
 * @param {string} root
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<{ ok: boolean, text: string }>}
 */
async function runTests(folder, root, env) {
  const report = path.join(folder, 'vitest.json');
  const reporters = ['--reporter=dot', '--reporter=json', `--outputFile.json=${report}`];
  const args = ['node_modules/vitest/vitest.mjs', 'run', 'packages/engine/src', ...reporters];
  const status = await runChild(process.execPath, args, { cwd: root, env });
  try {
    return testsOf(JSON.parse(readFileSync(report, 'utf8')));
  } catch {
    return { ok: false, text: `the tests ended with ${status} and no report` };
  }
}
