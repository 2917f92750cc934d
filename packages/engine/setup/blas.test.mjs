import { symlinkSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { blasOf } from './blas.mjs';
import { fakeLibtorch, temporaryFolder, write } from './fake-libtorch.mjs';
import { lookForLibtorch } from './find-libtorch.mjs';

/** @param {string} root */
const systemLibtorch = (root) =>
  lookForLibtorch({ platform: 'linux', arch: 'x64', env: {}, systemRoots: [root], askPython: () => null }).libtorch;

/** @param {string} provider where update-alternatives points, relative to the folder of libraries */
function debianWith(provider) {
  const root = fakeLibtorch(temporaryFolder(), { libDir: 'lib/x86_64-linux-gnu' });
  const libDir = path.join(root, 'lib/x86_64-linux-gnu');
  write(path.join(libDir, provider), '');
  symlinkSync(path.join(libDir, provider), path.join(root, 'alternative'));
  symlinkSync(path.join(root, 'alternative'), path.join(libDir, 'libblas.so.3'));
  return systemLibtorch(root);
}

test('what the alternative points at', () => {
  expect(blasOf(debianWith('blas/libblas.so.3.11.0'), 'linux')).toBe('reference');
  expect(blasOf(debianWith('openblas-openmp/libblas.so.3'), 'linux')).toBe('optimised');
  expect(blasOf(debianWith('blis-openmp/libblas.so.3'), 'linux')).toBe('optimised');
  expect(blasOf(debianWith('libmkl_rt.so'), 'linux')).toBe('optimised');
  expect(blasOf(debianWith('something/libblas.so.3'), 'linux')).toBe('unknown');
});

test('a libtorch from elsewhere carries its own', () => {
  const root = fakeLibtorch(temporaryFolder());
  const libtorch = systemLibtorch(root);
  expect(blasOf(libtorch, 'linux')).toBe('unknown');
  expect(blasOf(libtorch && { ...libtorch, how: 'python3' }, 'linux')).toBe('optimised');
  expect(blasOf(null, 'linux')).toBe('unknown');
});
