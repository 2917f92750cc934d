/**
 * The table of docs/reference/engine-versions.md: one row a version of PyTorch, replaced when that version is tested again. The rest of
 * the page is left alone.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { byVersion } from './torch-index.mjs';

const BEGIN = '<!-- table: npm run test:versions writes it -->';
const END = '<!-- end of table -->';
const HEAD = [
  '| PyTorch | from | compiled as | set-up | tests of the engine | on | when |',
  '|---|---|---|---|---|---|---|',
];

/**
 * @typedef {object} Row
 * @property {string} version
 * @property {string} from `Python index`, `system`
 * @property {string} compiledAs language and ABI
 * @property {number | null} seconds that set-up took; null where it failed
 * @property {string} tests
 * @property {string} machine
 * @property {string} when date and commit
 */

/** @param {Row} row */
const asLine = ({ version, from, compiledAs, seconds, tests, machine, when }) =>
  `| ${[version, from, compiledAs, seconds === null ? 'failed' : `${seconds.toFixed(0)} s`, tests, machine, when].join(' | ')} |`;

/** @param {string} line */
const versionOf = (line) => line.split('|')[1]?.trim() ?? '';

/**
 * @param {string} page
 * @param {Row} row
 * @returns {string} the page with that row, rows in the order of versions
 */
export function withRow(page, row) {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`the page has no table between "${BEGIN}" and "${END}"`);
  const lines = page.slice(begin + BEGIN.length, end).split('\n');
  const others = lines.filter((line) => /^\| \d/.test(line) && versionOf(line) !== row.version);
  const rows = [...others, asLine(row)].sort((a, b) => byVersion(versionOf(a), versionOf(b)));
  return [page.slice(0, begin) + BEGIN, ...HEAD, ...rows, page.slice(end)].join('\n');
}

/**
 * @param {string} file
 * @param {Row} row
 */
export function writeRow(file, row) {
  writeFileSync(file, withRow(readFileSync(file, 'utf8'), row));
}

/**
 * @typedef {object} VitestReport
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {number} numPendingTests
 * @property {{ name: string, status: string, assertionResults: { status: string, fullName: string }[] }[]} testResults
 */

/**
 * @param {VitestReport} report
 * @returns {{ ok: boolean, text: string }} the counts, and the names of what failed; a file that does not run is a failure
 */
export function testsOf({ numPassedTests, numPendingTests, testResults }) {
  const failed = testResults.flatMap(({ name, status, assertionResults }) => {
    const names = assertionResults.filter((one) => one.status === 'failed').map((one) => one.fullName);
    return names.length === 0 && status === 'failed' ? [name.split('/').at(-1) ?? name] : names;
  });
  const skipped = numPendingTests > 0 ? `, ${numPendingTests} skipped` : '';
  const failures = failed.length > 0 ? `, ${failed.length} failed: ${failed.join('; ').replaceAll('|', '/')}` : '';
  return { ok: failed.length === 0, text: `${numPassedTests} passed${skipped}${failures}` };
}
