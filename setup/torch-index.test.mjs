import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { byVersion, chooseVersions, versionsOnIndex } from './torch-index.mjs';

/** @param {string} script what `python3` does */
function withPython(script) {
  const folder = mkdtempSync(path.join(tmpdir(), 'looprpt-index-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(path.join(folder, 'python3'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { PATH: folder };
}

test('what pip lists, or its last word on why not', () => {
  const listing = withPython("echo 'torch (2.1.0)'\necho 'Available versions: 2.1.0, 2.0.1, 1.13.1'");
  expect(versionsOnIndex(listing)).toEqual({ versions: ['2.1.0', '2.0.1', '1.13.1'] });
  const offline = withPython("echo 'WARNING: again' >&2\necho 'ERROR: no matching distribution' >&2\nexit 1");
  expect(versionsOnIndex(offline)).toEqual({ reason: 'ERROR: no matching distribution' });
  expect(versionsOnIndex(withPython('exit 3'))).toEqual({ reason: 'pip ended with 3' });
  expect(versionsOnIndex({ PATH: '/no/such/folder' })).toEqual({ reason: expect.stringContaining('does not run') });
});

test('versions are ordered by their numbers', () => {
  expect(['2.10.0', '2.9.1', '1.13.1', '2.9.0+cu118'].sort(byVersion)).toEqual([
    '1.13.1',
    '2.9.0+cu118',
    '2.9.1',
    '2.10.0',
  ]);
});

test('first, last and two between; the last release of each minor version; nothing unfinished, nothing before 2', () => {
  const served = ['2.15.0', '2.16.0rc1', '1.13.1', '2.0.0', '2.0.1', '2.1.0', '2.5.1', '2.5.0', '2.10.0', '2.11.0'];
  expect(chooseVersions(served)).toEqual(['2.0.1', '2.5.1', '2.10.0', '2.15.0']);
  expect(chooseVersions(['2.1.0', '2.0.1'])).toEqual(['2.0.1', '2.1.0']);
  expect(chooseVersions(['2.1.0'])).toEqual(['2.1.0']);
  expect(chooseVersions(['1.13.1'])).toEqual([]);
});
