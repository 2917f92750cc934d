/** An addon is refused on a processor that lacks what it was compiled for, before it is loaded, in one line. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { thisProcessor } from './blas-record.mjs';
import { readEngineJson } from './build-addon.mjs';
import { temporaryFolder, write } from './fake-libtorch.mjs';
import { instructionsOf, needable, refusal, wordsOf } from './instructions.mjs';
import { findCompiler } from './programs.mjs';

test("the compiler's macros in the system's words", () => {
  expect(wordsOf('#define __AVX2__ 1\n#define __AVX512F__ 1\n#define __AVX512FX__ 1\n#define __x86_64__ 1\n')).toEqual([
    'avx2',
    'avx512f',
  ]);
  expect(needable(['fpu', 'fma', 'avx2', 'hypervisor'])).toEqual(['avx2', 'fma']);
});

test.skipIf(process.arch !== 'x64')('the compiler says what a level of x86-64 has', () => {
  const compiler = findCompiler() ?? expect.fail('no compiler');
  const level = (/** @type {number} */ n) => instructionsOf(compiler, ['-O3', `-march=x86-64-v${n}`]);
  expect(level(3)).toEqual(expect.arrayContaining(['avx2', 'fma', 'bmi2']));
  expect(level(3)).not.toContain('avx512f');
  expect(level(4)).toEqual(expect.arrayContaining([...level(3), 'avx512f', 'avx512vl']));
});

test.skipIf(process.platform !== 'linux')("this machine's own code can run on it", () => {
  const compiler = findCompiler() ?? expect.fail('no compiler');
  const own = instructionsOf(compiler, [process.arch === 'arm64' ? '-mcpu=native' : '-march=native']);
  expect(own.length).toBeGreaterThan(0);
  expect(refusal(own, thisProcessor().flags)).toBeNull();
});

test('what is missing is named; nothing is refused where the system does not say what there is', () => {
  expect(refusal(['avx2', 'avx512f'], ['fpu', 'avx2'])).toContain('a processor with avx512f, which');
  expect(refusal(['avx2'], ['avx2', 'avx512f'])).toBeNull();
  expect(refusal(['avx2'], [])).toBeNull();
});

test.skipIf(process.platform !== 'linux')('an addon for a greater processor is not loaded', () => {
  const here = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));
  const build = readEngineJson(here('../build')) ?? expect.fail('the engine is not built');
  const file = path.join(temporaryFolder(), 'engine.json');
  write(file, JSON.stringify({ ...build, addon: here(`../${build.addon}`), instructions: ['avx2048'] }));
  const run = (/** @type {string} */ code) =>
    spawnSync(process.execPath, ['--input-type=module', '-e', code], {
      env: { ...process.env, LOOPRPT_ENGINE_BUILD: file },
      encoding: 'utf8',
    });
  const { status, stderr } = run(`await import(${JSON.stringify(here('../dist/index.js'))})`);
  expect(status).toBe(1);
  expect(stderr).toMatch(/Error: the addon was compiled for a processor with avx2048, which this one has not: compile/);
  const program = here('../../looprpt/bin/looprpt.js');
  const model = here('../../looprpt/models/hop-base');
  const command = spawnSync(process.execPath, [program, 'generate', '--model', model, '--prompt', 'a'], {
    env: { ...process.env, LOOPRPT_ENGINE_BUILD: file },
    encoding: 'utf8',
  });
  expect(command.stderr).toMatch(/^looprpt: the addon was compiled for .*avx2048.*: run `npx looprpt setup` here\n$/);
  expect(command.status).toBe(1);
});
