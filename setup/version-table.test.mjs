import { expect, test } from 'vitest';
import { testsOf, withRow } from './version-table.mjs';

const page = '# Versions\n\n<!-- table: npm run test:versions writes it -->\n<!-- end of table -->\n\nMore.\n';
/** @type {(version: string, tests: string) => import('./version-table.mjs').Row} */
const row = (version, tests) => ({
  version,
  from: 'Python index',
  compiledAs: 'C++17',
  seconds: 12.3,
  tests,
  machine: 'a processor',
  when: '2026-01-01',
});
const versions = (/** @type {string} */ text) =>
  [...text.matchAll(/^\| (\d\S*) .* \| (\w+) \| a proc/gm)].map((m) => m.slice(1));

test('rows stand in the order of versions, a version tested again replaces its row, the rest of the page stays', () => {
  const once = ['2.10.0', '2.9.1', '1.13.0'].reduce((text, version) => withRow(text, row(version, 'one')), page);
  expect(versions(once)).toEqual([
    ['1.13.0', 'one'],
    ['2.9.1', 'one'],
    ['2.10.0', 'one'],
  ]);
  const again = withRow(once, row('2.9.1', 'two'));
  expect(versions(again)).toEqual([
    ['1.13.0', 'one'],
    ['2.9.1', 'two'],
    ['2.10.0', 'one'],
  ]);
  expect(again).toMatch(/^# Versions\n\n<!-- table/);
  expect(again).toMatch(/<!-- end of table -->\n\nMore\.\n$/);
  expect(withRow(again, row('2.9.1', 'two'))).toBe(again);
  expect(() => withRow('no table', row('2.9.1', 'x'))).toThrow('has no table');
});

test('counts of a report; what failed is named, a file that does not run too', () => {
  const assertion = (/** @type {string} */ status, /** @type {string} */ fullName) => ({ status, fullName });
  const good = { name: '/a.test.ts', status: 'passed', assertionResults: [assertion('passed', 'one')] };
  const report = { numPassedTests: 1, numFailedTests: 0, numPendingTests: 0, testResults: [good] };
  expect(testsOf(report)).toEqual({ ok: true, text: '1 passed' });
  const bad = { name: '/b.test.ts', status: 'failed', assertionResults: [assertion('failed', 'a | b')] };
  const broken = { name: '/c.test.ts', status: 'failed', assertionResults: [] };
  expect(testsOf({ ...report, numFailedTests: 1, numPendingTests: 2, testResults: [good, bad, broken] })).toEqual({
    ok: false,
    text: '1 passed, 2 skipped, 2 failed: a / b; c.test.ts',
  });
});
