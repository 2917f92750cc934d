/**
 * Set-up and its report where something is broken: one line that says what and how to mend it, and exit code 1. That is when
 * they are run.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { readEngineJson } from './build-addon.mjs';
import { temporaryFolder, write } from './fake-libtorch.mjs';
import { complaintOfNode } from './node-version.mjs';
import { which } from './programs.mjs';

const here = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));

/** @param {NodeJS.ProcessEnv} env @param {string[]} [nodeOptions] */
function setUp(env, nodeOptions = []) {
  const run = [...nodeOptions, here('./index.mjs')];
  const { status, stderr } = spawnSync(process.execPath, run, { env: { ...process.env, ...env }, encoding: 'utf8' });
  return { status, stderr };
}

/** @param {NodeJS.ProcessEnv} env @returns {import('./index.mjs').EngineReport} */
function inspect(env) {
  const script = `import { inspectEngine } from ${JSON.stringify(here('./index.mjs'))};
    process.stdout.write(JSON.stringify(inspectEngine()));`;
  const args = ['--input-type=module', '-e', script];
  const { stdout, stderr } = spawnSync(process.execPath, args, { env: { ...process.env, ...env }, encoding: 'utf8' });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

test.each([
  ['LIBTORCH', '/no/such/folder', 'LIBTORCH=/no/such/folder is not a usable libtorch: there is no such folder'],
  ['CXX', '/no/such/c++', 'CXX=/no/such/c++ does not run'],
  ['LOOPRPT_ENGINE_BUILD', '/tmp/other', 'LOOPRPT_ENGINE_BUILD=/tmp/other does not name an engine.json'],
])('%s=%s', (variable, value, what) => {
  const { status, stderr } = setUp({ [variable]: value });
  expect(stderr).toMatch(/^engine: .*\n$/);
  expect(stderr).toContain(`${what}. Set it to `);
  expect(status).toBe(1);
  const report = inspect({ [variable]: value });
  expect(report.mend).toContainEqual({ what, command: `unset ${variable}` });
  // Nothing is to be installed or compiled because of a setting.
  expect(report.mend.filter(({ command }) => /apt-get|node /.test(command))).toEqual([]);
});

test('a build folder that cannot be made', () => {
  const file = path.join(temporaryFolder(), 'file');
  write(file, '');
  const { status, stderr } = setUp({ LOOPRPT_ENGINE_BUILD: path.join(file, 'engine.json') });
  expect(stderr).toMatch(/^(engine: passed over.*\n)?engine: set-up cannot go on: E.*\n$/);
  expect(status).toBe(1);
});

test('a folder of PATH that cannot be read is passed over', () => {
  const folder = temporaryFolder();
  // a folder without permission stops nobody who is root; this one stops everybody
  const loop = path.join(folder, 'loop');
  symlinkSync(loop, loop);
  const good = path.join(folder, 'good');
  mkdirSync(good);
  write(path.join(good, 'c++'), '#!/bin/sh\necho c++ 1.0\n', 0o755);
  const env = { PATH: [loop, good].join(path.delimiter) };
  expect(which('c++', env)).toBe(path.join(good, 'c++'));
});

test('a damaged engine.json counts as none', () => {
  const folder = temporaryFolder();
  write(path.join(folder, 'engine.json'), '{"addon": "bu');
  expect(readEngineJson(folder)).toBeNull();
});

test('a Node that is too old', () => {
  const folder = temporaryFolder();
  const pretend = path.join(folder, 'node-18.cjs');
  write(pretend, "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.8' } });\n");
  const line =
    'Node 20 or newer is needed; this is v18.20.8. Install it from https://nodejs.org or with a version manager.';
  expect(complaintOfNode('18.20.8')).toBe(line);
  expect(complaintOfNode('20.0.0')).toBeNull();
  expect(setUp({}, ['--require', pretend])).toEqual({ status: 1, stderr: `engine: ${line}\n` });
  const program = here('../../looprpt/bin/looprpt.js');
  const { status, stderr } = spawnSync(process.execPath, ['--require', pretend, program, 'doctor'], {
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 1, stderr: `looprpt: ${line}\n` });
});
