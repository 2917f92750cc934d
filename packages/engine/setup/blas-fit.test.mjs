/** A library in OpenBLAS's place: a program that says its core as OpenBLAS does, and answers as that core is told to. */
import path from 'node:path';
import { expect, test } from 'vitest';
import { addonProbe, asking } from './blas-ask.mjs';
import { fitBlas, lineOf } from './blas-fit.mjs';
import { temporaryFolder, write } from './fake-libtorch.mjs';

const AVX2 = ['avx', 'avx2', 'fma'];

/**
 * @param {Record<string, number | 'wrong' | 'crash' | 'silent'>} cores GFLOP/s of each, or what is amiss
 * @param {string} own the core that it takes by itself, and in place of one it does not know
 * @param {NodeJS.ProcessEnv} [env]
 */
function fit(cores, own, env = {}) {
  const script = path.join(temporaryFolder(), 'library.cjs');
  write(
    script,
    `const cores = ${JSON.stringify(cores)};
    const asked = process.env.OPENBLAS_CORETYPE;
    const core = asked in cores ? asked : ${JSON.stringify(own)};
    if (process.env.OPENBLAS_VERBOSE === '2') console.error('Core: ' + core);
    const how = cores[core];
    if (how === 'crash') process.kill(process.pid, 'SIGSEGV');
    else if (how !== 'silent') console.log(JSON.stringify({ right: how !== 'wrong', gflops: how === 'wrong' ? 0 : how }));`,
  );
  const ask = asking([process.execPath, script], { ...env, PATH: process.env.PATH });
  return fitBlas({ ask, own: env.OPENBLAS_CORETYPE, flags: AVX2 });
}

test('a library that knows the processor is left alone', async () => {
  const found = await fit({ Haswell: 50, Zen: 500 }, 'Haswell');
  expect(found).toEqual({ verdict: 'fits', core: 'Haswell', setting: null, gflops: 50, before: null });
  expect(lineOf(found)).toBeNull();
});

test('old kernels: the fastest core that computes rightly is taken, and the user is told', async () => {
  const found = await fit({ Prescott: 10, Haswell: 60, Zen: 50, Sandybridge: 30 }, 'Prescott');
  const before = { core: 'Prescott', gflops: 10 };
  expect(found).toEqual({ verdict: 'chosen', core: 'Haswell', setting: 'Haswell', gflops: 60, before });
  expect(lineOf(found)).toBe(
    'OpenBLAS takes this processor for Prescott (10 GFLOP/s a thread); it is run as Haswell (60 GFLOP/s, products checked). OPENBLAS_CORETYPE in the environment overrides that',
  );
});

test('a core that computes wrongly or crashes is never taken, however fast', async () => {
  expect(await fit({ Prescott: 10, Haswell: 'wrong', Zen: 'crash', Sandybridge: 30 }, 'Prescott')).toMatchObject({
    verdict: 'chosen',
    setting: 'Sandybridge',
  });
  const none = await fit({ Prescott: 10, Haswell: 'wrong', Zen: 'crash', Sandybridge: 'silent' }, 'Prescott');
  expect(none).toMatchObject({ verdict: 'old', core: 'Prescott', setting: null });
  expect(lineOf(none)).toContain('a newer OpenBLAS');
});

test('a core that the library does not know is not mistaken for one that it has', async () => {
  expect(await fit({ Prescott: 10 }, 'Prescott')).toMatchObject({ verdict: 'old', setting: null });
});

test('of two that are nearly as fast the wider one is taken, whichever was measured faster', async () => {
  const cores = { Prescott: 10, Haswell: 50, Zen: 55, Sandybridge: 60 };
  expect(await fit(cores, 'Prescott')).toMatchObject({ setting: 'Haswell' });
});

test('one that is hardly faster is not worth it', async () => {
  expect(await fit({ Prescott: 10, Haswell: 12, Zen: 11 }, 'Prescott')).toMatchObject({
    verdict: 'fits',
    setting: null,
  });
});

test("a library whose own choice is wrong: any right core will do, none is 'wrong'", async () => {
  const found = await fit({ Zen: 'wrong', Haswell: 20 }, 'Zen');
  expect(found).toMatchObject({ verdict: 'chosen', setting: 'Haswell', before: { core: 'Zen', gflops: 0 } });
  expect(lineOf(found)).toContain('computes wrongly or crashes as Zen');
  expect(await fit({ Zen: 'crash' }, 'Zen')).toMatchObject({ verdict: 'wrong', setting: null });
});

test("the user's own choice stands; where it computes wrongly that is said, and nothing is put in its place", async () => {
  const env = { OPENBLAS_CORETYPE: 'Sandybridge' };
  const cores = { Haswell: 50, Prescott: 5 };
  expect(await fit({ ...cores, Sandybridge: 20 }, 'Haswell', env)).toMatchObject({
    verdict: 'yours',
    core: 'Sandybridge',
  });
  const wrong = await fit({ ...cores, Sandybridge: 'wrong' }, 'Haswell', env);
  expect(wrong).toMatchObject({ verdict: 'wrong', setting: null });
  expect(lineOf(wrong)).toContain('OpenBLAS as Sandybridge');
});

test('no OpenBLAS, or no answer: untouched; but wrong is wrong', async () => {
  const silent = asking([process.execPath, '-e', ''], {});
  expect(await fitBlas({ ask: silent, own: undefined, flags: AVX2 })).toMatchObject({ verdict: 'untouched' });
  const missing = asking(['/no/such/program'], {});
  expect(await fitBlas({ ask: missing, own: undefined, flags: AVX2 })).toMatchObject({ verdict: 'untouched' });
  const other = (/** @type {boolean} */ right) =>
    asking([process.execPath, '-e', `console.log(JSON.stringify({ right: ${right}, gflops: 1 }))`], {});
  expect(await fitBlas({ ask: other(true), own: undefined, flags: AVX2 })).toMatchObject({ verdict: 'untouched' });
  expect(await fitBlas({ ask: other(false), own: undefined, flags: AVX2 })).toMatchObject({ verdict: 'wrong' });
});

/**
 * The check of products on an addon that multiplies in JavaScript; what is only timed it leaves at zero.
 * @param {string} fault spoils a product: a statement over its values `c` and the shape
 */
function probeOf(fault) {
  const addon = path.join(temporaryFolder(), 'addon.cjs');
  write(
    addon,
    `const tensors = [null];
    const keep = (tensor) => tensors.push(tensor) - 1;
    let threads = 1;
    exports.setThreads = (n) => { threads = n; };
    exports.resolve = (name) => name;
    exports.fromBytes = (values, dtype, [rows, columns]) => keep({ values: Float64Array.from(values), rows, columns });
    exports.readNumbers = (handle, into) => into.set(tensors[handle].values);
    const turn = ({ values, rows, columns }) => {
      const turned = new Float64Array(values.length);
      for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) turned[j * rows + i] = values[i * columns + j];
      return { values: turned, rows: columns, columns: rows, turned: true };
    };
    const multiply = (a, b, c, m, k, n) => {
      for (let i = 0; i < m; i++)
        for (let l = 0; l < k; l++) {
          const x = a[i * k + l];
          for (let j = 0; j < n; j++) c[i * n + j] += x * b[l * n + j];
        }
    };
    exports.call = (name, ...handles) => {
      const [x, y] = handles.map((handle) => tensors[handle]);
      if (name === 'aten::t') return keep(turn(x));
      const [m, k, n] = [x.rows, x.columns, y.columns], c = new Float64Array(m * n);
      if (n < 512) multiply(x.values, y.values, c, m, k, n);
      ${fault};
      return keep({ values: c });
    };`,
  );
  return asking(addonProbe(addon), {})(null);
}

test.each([
  ['none', '', 'right'],
  ['one value of the largest', 'if (m === 129) c[m * n - 1] += 1', 'wrong'],
  ['turned factors alone', 'if (x.turned && y.turned) c[0] += 1', 'wrong'],
  ['several threads alone', 'if (threads > 1 && n > 100) c[3] = 0', 'wrong'],
  ['not a number', 'if (m === 7) c[2] = NaN', 'wrong'],
])('the check of products sees a fault: %s', async (_name, fault, products) => {
  expect(await probeOf(fault)).toMatchObject({ products });
});
