import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

test('totals; a file that could not be run is a failure', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'looprpt-totals-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const report = path.join(folder, 'vitest.json');
  const testResults = [
    { status: 'passed', assertionResults: [{ status: 'passed' }] },
    { status: 'failed', assertionResults: [{ status: 'passed' }, { status: 'failed' }] },
    { status: 'failed', assertionResults: [] },
  ];
  const totals = { numPassedTests: 2, numFailedTests: 1, numPendingTests: 3, numTodoTests: 1 };
  writeFileSync(report, JSON.stringify({ ...totals, testResults }));
  const script = fileURLToPath(new URL('./test-totals.mjs', import.meta.url));
  const { stdout } = spawnSync(process.execPath, [script, report], { encoding: 'utf8' });
  expect(stdout).toBe('2 passed, 2 failed, 4 skipped\n');
});
