/**
 * Asks a library that is loaded in a process of its own for its core and its products: the addon's libtorch, or the PyTorch of
 * a Python.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { VARIABLE } from './blas-fit.mjs';

/** @typedef {import('./blas-fit.mjs').Answer} Answer */

/** Ten times what the slowest kernels take, on a machine that is busy. */
const LIMIT_MS = 120_000;

const here = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));

/** @param {string} addon its file */
export const addonProbe = (addon) => [process.execPath, here('./blas-probe.mjs'), addon];

/** @type {typeof import('./index.mjs').pythonProbe} */
export const pythonProbe = (python) => [python, here('./blas-probe.py')];

/**
 * @param {string[]} probe a program that prints what blas-probe.mjs does
 * @param {NodeJS.ProcessEnv} env
 * @returns {(setting: string | null) => Promise<Answer>}
 */
export function asking(probe, env) {
  return (setting) => {
    const [program = '', ...args] = probe;
    const chosen = setting === null ? {} : { [VARIABLE]: setting };
    // OpenBLAS names its core on stderr when it is loaded
    const child = spawn(program, args, {
      env: { ...env, OMP_WAIT_POLICY: 'passive', OPENBLAS_VERBOSE: '2', ...chosen },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: LIMIT_MS,
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk));
    return new Promise((resolve) => {
      child.on('error', () => resolve({ core: null, products: 'unknown', gflops: 0 }));
      child.on('close', (_code, signal) => resolve(read(text, signal)));
    });
  };
}

/**
 * @param {string} text all that the process printed
 * @param {NodeJS.Signals | null} signal that ended it
 * @returns {Answer}
 */
function read(text, signal) {
  const core = /^Core: (\S+)/m.exec(text)?.[1] ?? null;
  const line = /^\{"right".*\}$/m.exec(text)?.[0];
  if (line !== undefined) {
    const { right, gflops } = JSON.parse(line);
    return { core, products: right ? 'right' : 'wrong', gflops: right ? gflops : 0 };
  }
  const crash = signal !== null && signal !== 'SIGTERM' && signal !== 'SIGKILL';
  return { core, products: crash ? 'crashed' : 'unknown', gflops: 0 };
}
