/**
 * `blas.json` beside `engine.json`: which core OpenBLAS is to be run as, on which processor and with which library that was found
 * out. Read before the addon is loaded, so it is quick, and it holds for nothing else than what it names. Types: blas-record.d.mts.
 */
import { closeSync, openSync, readFileSync, readSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { readProcessor } from './blas-cores.mjs';
import { VARIABLE } from './blas-fit.mjs';

/** More than Linux writes about one processor. */
const FIRST_PROCESSOR = 16_384;
/** What OpenBLAS reads when it is loaded, and what may change its products or their speed. */
const READ_BY_OPENBLAS = /^OPENBLAS_(CORETYPE|L2_SIZE|BLOCK_FACTOR)$/;

/** @returns {import('./blas-cores.mjs').Processor} of the machine; without flags where it is not Linux */
export function thisProcessor() {
  try {
    const file = openSync('/proc/cpuinfo', 'r');
    try {
      const text = Buffer.alloc(FIRST_PROCESSOR);
      return readProcessor(text.toString('latin1', 0, readSync(file, text)));
    } finally {
      closeSync(file);
    }
  } catch {
    return { identity: '', flags: [] };
  }
}

/**
 * @param {string} libDir libtorch's folder of libraries
 * @returns {{ file: string, stamp: string } | null} the BLAS that would be loaded; null where libtorch carries its own
 */
export function sharedBlas(libDir) {
  try {
    const file = realpathSync(path.join(libDir, 'libblas.so.3'));
    const { size, mtimeMs } = statSync(file);
    return { file, stamp: `${size}-${Math.floor(mtimeMs)}` };
  } catch {
    return null;
  }
}

/** @param {NodeJS.ProcessEnv} env */
function settingsOf(env) {
  return Object.fromEntries(
    Object.entries(env)
      .filter(([name]) => READ_BY_OPENBLAS.test(name))
      .sort(),
  );
}

/** @type {typeof import('./blas-record.mjs').recordOf} */
export function recordOf(libDir, env, fit) {
  return { libDir, library: sharedBlas(libDir), processor: thisProcessor().identity, settings: settingsOf(env), fit };
}

/** @param {string} buildDir */
const fileIn = (buildDir) => path.join(buildDir, 'blas.json');

/** @type {typeof import('./blas-record.mjs').readRecord} */
export function readRecord(buildDir) {
  try {
    return JSON.parse(readFileSync(fileIn(buildDir), 'utf8'));
  } catch {
    return null; // none yet, or damaged: found out again
  }
}

/** @type {typeof import('./blas-record.mjs').writeRecord} */
export function writeRecord(buildDir, record) {
  writeFileSync(fileIn(buildDir), `${JSON.stringify(record, null, 2)}\n`);
}

/** @type {typeof import('./blas-record.mjs').withoutOurs} */
export function withoutOurs(record, env) {
  const ours = record?.fit.setting && env[VARIABLE] === record.fit.setting && !record.settings[VARIABLE];
  if (!ours) return env;
  const { [VARIABLE]: _ours, ...others } = env;
  return others;
}

/** @type {typeof import('./blas-record.mjs').stillHolds} */
export function stillHolds(record, libDir, env) {
  return JSON.stringify(record) === JSON.stringify(recordOf(libDir, withoutOurs(record, env), record.fit));
}

/** @type {typeof import('./blas-record.mjs').prepareBlas} */
export function prepareBlas(buildDir, env) {
  if (env[VARIABLE] !== undefined) return;
  const record = readRecord(buildDir);
  if (record?.fit.setting && stillHolds(record, record.libDir, env)) env[VARIABLE] = record.fit.setting;
}
