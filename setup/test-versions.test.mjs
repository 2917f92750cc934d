import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const script = fileURLToPath(new URL('./test-versions.mjs', import.meta.url));

/**
 * @param {string} pip what `python3 -m pip index` does
 * @param {string[]} versions
 */
function run(pip, versions) {
  const folder = mkdtempSync(path.join(tmpdir(), 'looprpt-versions-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(path.join(folder, 'python3'), `#!/bin/sh\n${pip}\n`, { mode: 0o755 });
  const env = { ...process.env, PATH: `${folder}${path.delimiter}${process.env.PATH}` };
  return spawnSync(process.execPath, [script, ...versions], { env, encoding: 'utf8' });
}

test('without the index: one line, and no failure', () => {
  const { status, stderr } = run("echo 'ERROR: no route to the index' >&2; exit 1", ['2.1.0']);
  expect(stderr).toBe('versions: skipped what the Python index serves: ERROR: no route to the index\n');
  expect(status).toBe(0);
});

test('a version that is not served: one line', () => {
  const { status, stderr } = run("echo 'Available versions: 2.2.0, 2.1.0'", ['2.1.7']);
  expect(stderr).toBe('versions: 2.1.7: the Python index does not serve that to this python3; it has 2.2.0, 2.1.0\n');
  expect(status).toBe(1);
});
