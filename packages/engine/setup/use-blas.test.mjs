import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { readRecord } from './blas-record.mjs';
import { temporaryFolder, write } from './fake-libtorch.mjs';
import { useBlas } from './use-blas.mjs';

/** @typedef {import('./index.mjs').BlasFit} BlasFit */

/** @type {BlasFit} */
const fits = { verdict: 'fits', core: 'Haswell', setting: null, gflops: 60, before: null };
/** @type {BlasFit} */
const chosen = { ...fits, verdict: 'chosen', setting: 'Haswell', before: { core: 'Prescott', gflops: 9 } };

/** A build in force, whose libtorch loads a shared BLAS. */
function machine() {
  const [buildDir, libDir] = [temporaryFolder(), temporaryFolder()];
  const engineJson = path.join(buildDir, 'engine.json');
  write(engineJson, '{}');
  write(path.join(libDir, 'libblas.so.3'), 'one');
  /** @type {string[]} */
  const lines = [];
  const say = { line: (/** @type {string} */ text) => void lines.push(text), ticking: () => () => {} };
  let asked = 0;
  const use = (/** @type {BlasFit} */ answer, /** @type {NodeJS.ProcessEnv} */ env = {}) =>
    useBlas({
      buildDir,
      libDir,
      env,
      say,
      fit: async () => {
        asked += 1;
        return answer;
      },
    });
  return { buildDir, libDir, engineJson, lines, use, asked: () => asked };
}

test('asked once; the user is told once, and only of what is not as it should be', async () => {
  const { buildDir, lines, use, asked } = machine();
  for (let i = 0; i < 2; i++) await use(chosen);
  expect(asked()).toBe(1);
  expect(lines).toEqual([expect.stringContaining('takes this processor for Prescott')]);
  expect(readRecord(buildDir)?.fit).toEqual(chosen);
  await use(fits, { OPENBLAS_L2_SIZE: '1' });
  expect([asked(), lines.length]).toEqual([2, 1]);
});

test('what could not be asked is asked again', async () => {
  const { use, asked } = machine();
  for (let i = 0; i < 2; i++) await use({ ...fits, verdict: 'untouched' });
  expect(asked()).toBe(2);
});

test('a BLAS that computes wrongly: an error, no record, and no addon in force', async () => {
  const { buildDir, engineJson, use } = machine();
  await expect(use({ ...fits, verdict: 'wrong' })).rejects.toThrow('as Haswell, computes wrongly or crashes');
  expect(existsSync(engineJson)).toBe(false);
  expect(readRecord(buildDir)).toBeNull();
});

test("the user's own core that computes wrongly is refused by name", async () => {
  const { use } = machine();
  const wrong = use({ ...fits, verdict: 'wrong' }, { OPENBLAS_CORETYPE: 'Zen' });
  await expect(wrong).rejects.toThrow(/^OPENBLAS_CORETYPE=Zen: the BLAS.* Set it to another core; or unset it\.$/);
});

test('a libtorch that carries its own BLAS is not asked', async () => {
  const { libDir, use, asked } = machine();
  rmSync(path.join(libDir, 'libblas.so.3'));
  await use({ ...fits, verdict: 'wrong' });
  expect(asked()).toBe(0);
});
