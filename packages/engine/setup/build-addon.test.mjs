/**
 * A tiny addon against a tiny library in libtorch's place, with the real compiler behind a wrapper that counts calls.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { expect, test } from 'vitest';
import { buildAddon, isBuilt, readEngineJson } from './build-addon.mjs';
import { compileFlags, linkFlags, planBuild } from './build-plan.mjs';
import { fakeLibtorch, temporaryFolder, write } from './fake-libtorch.mjs';
import { lookForLibtorch } from './find-libtorch.mjs';
import { findCompiler } from './programs.mjs';
import { sayer } from './progress.mjs';
import { SetupError } from './setup-error.mjs';

const ANSWER = `#include "tiny.h"
int libtorchsAnswer();
static napi_value answer(napi_env env, napi_callback_info) {
  napi_value result;
  napi_create_int32(env, libtorchsAnswer() + OFFSET, &result);
  return result;
}
napi_value makeAnswer(napi_env env) {
  napi_value function;
  napi_create_function(env, "answer", NAPI_AUTO_LENGTH, answer, nullptr, &function);
  return function;
}
`;
/** In place of the header, without its OFFSET. */
const TINY = '#include <node_api.h>\nnapi_value makeAnswer(napi_env env);';
const MODULE = `#include "tiny.h"
NAPI_MODULE_INIT() {
  napi_set_named_property(env, exports, "answer", makeAnswer(env));
  return exports;
}
`;
const HEADER = '#pragma once\n#include <node_api.h>\n#define OFFSET 0\nnapi_value makeAnswer(napi_env env);\n';

/** @param {import('./index.mjs').Libtorch | null} libtorch */
function present(libtorch) {
  if (libtorch === null) throw new Error('the fake libtorch was not found');
  return libtorch;
}

/** A package folder with sources, a library, and a compiler whose runs are counted. */
function workshop() {
  const packageDir = temporaryFolder();
  const inside = (/** @type {string} */ name) => path.join(packageDir, name);
  write(inside('native/tiny.h'), HEADER);
  write(inside('native/module.cc'), MODULE);
  write(inside('native/parts/answer.cc'), ANSWER);

  const real = findCompiler()?.command ?? [];
  const root = fakeLibtorch(inside('libtorch'), { libs: ['c10'] });
  write(inside('library.cc'), 'int libtorchsAnswer() { return 42; }\n');
  const library = path.join(root, 'lib/libtorch_cpu.so');
  spawnSync(real[0] ?? '', [...real.slice(1), '-shared', '-fPIC', '-o', library, inside('library.cc')]);
  const libtorch = present(lookForLibtorch({ env: { LIBTORCH: root } }).libtorch);
  // Asked for its macros it makes nothing.
  const counted = `case " $* " in *" -dM "*) ;; *) echo call >> ${inside('calls')} ;; esac`;
  write(inside('cxx'), `#!/bin/sh\n${counted}\nexec ${real.join(' ')} "$@"\n`, 0o755);

  const buildDir = inside('build');
  /** @type {import('./build-plan.mjs').Target} */
  const target = {
    libtorch: { ...libtorch, libs: ['torch_cpu'] },
    compiler: { command: [inside('cxx')], version: 'counting' },
    nativeDir: inside('native'),
    nodeApiInclude: createRequire(import.meta.url)('node-api-headers').include_dir,
    platform: process.platform,
    arch: process.arch,
    cpu: 'any',
  };
  const say = sayer('test', { quiet: true });
  const build = () =>
    buildAddon({ base: packageDir, buildDir, name: 'tiny', plan: planBuild(target), target, env: process.env, say });
  const calls = () => (existsSync(inside('calls')) ? readFileSync(inside('calls'), 'utf8').split('\n').length - 1 : 0);
  const answer = (/** @type {{ addon: string }} */ { addon }) => createRequire(import.meta.url)(inside(addon)).answer();
  const leftOvers = () =>
    readdirSync(buildDir, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.tmp'));
  return { packageDir, buildDir, inside, target, build, calls, answer, leftOvers };
}

test('builds an addon that loads; a second build runs no compiler; a change rebuilds what it touches', async () => {
  const { packageDir, buildDir, inside, target, build, calls, answer, leftOvers } = workshop();
  const first = await build();
  expect(answer(first)).toBe(42);
  expect(calls()).toBe(3); // two sources and the link
  expect(readEngineJson(buildDir)).toEqual(first);
  expect(isBuilt({ base: packageDir, buildDir, plan: planBuild(target) })).toBe(true);

  expect(await build()).toEqual(first);
  expect(calls()).toBe(3);

  write(inside('native/parts/answer.cc'), ANSWER.replace('+ OFFSET', '+ 1'));
  expect(isBuilt({ base: packageDir, buildDir, plan: planBuild(target) })).toBe(false);
  const second = await build();
  expect(answer(second)).toBe(43);
  expect(calls()).toBe(5); // one source and the link

  write(inside('native/parts/answer.cc'), ANSWER);
  const back = await build();
  expect(back.addon).toBe(first.addon);
  expect(calls()).toBe(5); // nothing: the first one is still there

  write(inside('native/tiny.h'), HEADER.replace('OFFSET 0', 'OFFSET 100'));
  expect(answer(await build())).toBe(142);
  expect(calls()).toBe(8); // a header counts for every source that includes it
  expect(leftOvers()).toEqual([]);

  const deep = (/** @type {number} */ offset) => `#pragma once\n#define OFFSET ${offset}\n`;
  write(inside('native/parts/deep.h'), deep(7));
  await build();
  expect(calls()).toBe(8); // one that nobody includes for none
  write(inside('native/parts/answer.cc'), `#include "deep.h"\n${ANSWER.replace('#include "tiny.h"', TINY)}`);
  expect(answer(await build())).toBe(49);
  expect(calls()).toBe(10);
  write(inside('native/parts/deep.h'), deep(8));
  expect(answer(await build())).toBe(50);
  expect(calls()).toBe(12); // and for that one alone
});

test('an error of the compiler: its message, the command, exit code 2; the previous addon stays in force', async () => {
  const { buildDir, inside, build, leftOvers } = workshop();
  const good = await build();
  write(inside('native/parts/answer.cc'), `${ANSWER}\nint broken = "no";\n`);
  const error = await build().catch((reason) => reason);
  expect(error).toBeInstanceOf(SetupError);
  expect(error.exitCode).toBe(2);
  expect(error.message).toContain(`${inside('native/parts/answer.cc')} does not compile`);
  expect(error.message).toContain('invalid conversion');
  expect(error.message).toMatch(/The command was:\n {2}\S*cxx .*-c \S*answer\.cc/);
  expect(readEngineJson(buildDir)).toEqual(good);
  expect(leftOvers()).toEqual([]);
});

test('an addon that links and does not load is never put in force', async () => {
  const { buildDir, inside, build, leftOvers } = workshop();
  write(inside('native/parts/answer.cc'), ANSWER.replaceAll('libtorchsAnswer', 'nobodysAnswer'));
  const error = await build().catch((reason) => reason);
  expect(error).toBeInstanceOf(SetupError);
  expect(error.exitCode).toBe(2);
  expect(error.message).toMatch(/does not load: .*nobodysAnswer/);
  expect(readEngineJson(buildDir)).toBeNull();
  expect(leftOvers()).toEqual([]);
});

test('flags follow the libtorch', () => {
  const { target } = workshop();
  /** @param {Partial<import('./index.mjs').Libtorch>} facts */
  const withLibtorch = (facts) => ({
    ...target,
    platform: /** @type {const} */ ('linux'),
    libtorch: { ...target.libtorch, ...facts },
  });
  expect(compileFlags(withLibtorch({ major: 1, minor: 13 }))).toContain('-std=c++17');
  expect(compileFlags(withLibtorch({ major: 2, minor: 8 }))).toContain('-std=c++17');
  expect(compileFlags(withLibtorch({ major: 2, minor: 9 }))).toContain('-std=c++20');
  expect(compileFlags(withLibtorch({ cxx11Abi: 0 }))).toContain('-D_GLIBCXX_USE_CXX11_ABI=0');
  expect(compileFlags({ ...target, march: 'x86-64-v3' })).toContain('-march=x86-64-v3');
  expect(compileFlags(withLibtorch({ includeDirs: ['/usr/include', '/usr/include/x'] }))).not.toContain('/usr/include');

  const plain = linkFlags(withLibtorch({ libs: ['torch', 'torch_cpu', 'c10'] }));
  expect(plain).not.toContain('-Wl,--no-as-needed');
  const cuda = linkFlags(withLibtorch({ libs: ['torch', 'torch_cpu', 'c10', 'torch_cuda', 'c10_cuda'] }));
  const order = [
    '-Wl,--no-as-needed',
    '-ltorch_cuda',
    '-lc10_cuda',
    '-Wl,--as-needed',
    '-ltorch',
    '-ltorch_cpu',
    '-lc10',
  ];
  expect(cuda.slice(-order.length)).toEqual(order);
});

test('an addon made for one processor is not taken for another, unless it was made for a named one', () => {
  const { target } = workshop();
  const key = (/** @type {Partial<import('./build-plan.mjs').Target>} */ change) =>
    planBuild({ ...target, ...change }).key;
  expect(key({ cpu: 'other' })).not.toBe(key({}));
  expect(key({ cpu: 'other', march: 'x86-64-v3' })).toBe(key({ march: 'x86-64-v3' }));
});

test('the same sources in another folder make the same addon', () => {
  const { target } = workshop();
  const copied = path.join(temporaryFolder(), 'native');
  cpSync(target.nativeDir, copied, { recursive: true });
  const plan = planBuild({ ...target, nativeDir: copied });
  expect(plan.key).toBe(planBuild(target).key);
  expect(plan.compile).toContain(copied);
});
