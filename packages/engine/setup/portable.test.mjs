/**
 * The inner loops of row products as other processors have them: 128 and 256 bits of x86-64, and ARM's where a cross compiler and QEMU
 * are there. The set-up compiles for the processor at hand alone, so nothing else would run these.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const engine = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'looprpt-portable-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** @param {string} program */
const has = (program) => spawnSync(program, ['--version']).error === undefined;
const isX86 = process.arch === 'x64' && has('c++');
const hasAvx2 = isX86 && process.platform === 'linux' && /\bavx2\b/.test(readFileSync('/proc/cpuinfo', 'utf8'));
const hasArm = has('aarch64-linux-gnu-g++') && has('qemu-aarch64-static');

/** @type {[string, boolean, string, string[], string[]][]} */
const KINDS = [
  ['the processor at hand', isX86, 'c++', ['-march=native'], []],
  ['x86-64', isX86, 'c++', ['-march=x86-64'], []],
  ['x86-64-v3', hasAvx2, 'c++', ['-march=x86-64-v3'], []],
  ['aarch64', hasArm, 'aarch64-linux-gnu-g++', ['-static', '-march=armv8-a'], ['qemu-aarch64-static']],
];

for (const [kind, isThere, compiler, flags, runner] of KINDS)
  test.runIf(isThere)(`row products of ${kind} are plain sums, with the same bits in any company`, () => {
    const program = path.join(folder, kind);
    const source = path.join(engine, 'portable/rows.cc');
    const usual = ['-std=c++17', '-O2', '-ffp-contract=fast', '-I', path.join(engine, 'native/ops')];
    const made = spawnSync(compiler, [...usual, ...flags, source, '-o', program], { encoding: 'utf8' });
    expect(made.stderr).toBe('');
    const [command, ...args] = [...runner, program];
    const run = spawnSync(/** @type {string} */ (command), args, { encoding: 'utf8' });
    expect(run).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d+ lanes: as plain sums\n$/) });
  });
