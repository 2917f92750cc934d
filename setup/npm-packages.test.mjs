import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { packagesAreInstalled } from './npm-packages.mjs';

const wanted = {
  '': { workspaces: ['packages/*'] },
  'packages/one': { version: '0.1.0' },
  'node_modules/one': { resolved: 'packages/one', link: true },
  'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
  'node_modules/a/node_modules/b': { version: '2.0.0', integrity: 'sha512-b' },
  'node_modules/for-windows': { version: '3.0.0', integrity: 'sha512-c', optional: true },
};
const { '': _root, 'node_modules/for-windows': _windows, ...installed } = wanted;

/**
 * @param {Record<string, object> | null} lock
 * @param {Record<string, object> | null} record what npm says it installed
 */
function workspace(lock, record) {
  const root = mkdtempSync(path.join(tmpdir(), 'looprpt-npm-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const place of Object.keys(installed)) {
    mkdirSync(path.join(root, place), { recursive: true });
    writeFileSync(path.join(root, place, 'package.json'), '{}');
  }
  if (lock) writeFileSync(path.join(root, 'package-lock.json'), JSON.stringify({ packages: lock }));
  if (record) writeFileSync(path.join(root, 'node_modules/.package-lock.json'), JSON.stringify({ packages: record }));
  return root;
}

test('an installation that agrees with the lock file, packages for other platforms aside', () => {
  expect(packagesAreInstalled(workspace(wanted, installed))).toBe(true);
});

test('none, interrupted, outdated, incomplete', () => {
  expect(packagesAreInstalled('/no/such/folder')).toBe(false);
  expect(packagesAreInstalled(workspace(wanted, null))).toBe(false);
  const newer = { ...wanted, 'node_modules/a': { version: '1.0.1', integrity: 'sha512-z' } };
  expect(packagesAreInstalled(workspace(newer, installed))).toBe(false);
  const more = { ...wanted, 'node_modules/c': { version: '1.0.0' } };
  expect(packagesAreInstalled(workspace(more, installed))).toBe(false);
  const damaged = workspace(wanted, installed);
  rmSync(path.join(damaged, 'node_modules/a/node_modules/b'), { recursive: true });
  expect(packagesAreInstalled(damaged)).toBe(false);
});

test('without a lock file any finished installation will do', () => {
  expect(packagesAreInstalled(workspace(null, installed))).toBe(true);
  expect(packagesAreInstalled(workspace(null, null))).toBe(false);
});
