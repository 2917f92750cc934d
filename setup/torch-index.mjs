/**
 * Which versions of PyTorch the Python index serves to this machine's `python3`, and which of them to test. Asks pip, which
 * leaves out what has no wheel for this Python and this processor.
 */
import { spawnSync } from 'node:child_process';

/**
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {{ versions: string[] } | { reason: string }} newest first; or why they cannot be had
 */
export function versionsOnIndex(env = process.env) {
  const ask = [
    '-m',
    'pip',
    '--disable-pip-version-check',
    '--retries',
    '1',
    '--timeout',
    '20',
    'index',
    'versions',
    'torch',
  ];
  const answer = spawnSync('python3', ask, { env, encoding: 'utf8', timeout: 120_000 });
  const list = /^Available versions: (.*)$/m.exec(answer.stdout ?? '')?.[1];
  if (list !== undefined) return { versions: list.split(',').map((version) => version.trim()) };
  if (answer.error) return { reason: `python3 does not run: ${answer.error.message}` };
  return { reason: answer.stderr.trim().split('\n').at(-1) || `pip ended with ${answer.status ?? answer.signal}` };
}

/**
 * @param {string} version
 * @returns {number[]} to compare by
 */
const numbers = (version) => version.split('+')[0]?.split('.').map(Number) ?? [];

/** @type {(a: string, b: string) => number} older first */
export function byVersion(a, b) {
  const [left, right] = [numbers(a), numbers(b)];
  for (const i of [0, 1, 2]) if (left[i] !== right[i]) return (left[i] ?? 0) - (right[i] ?? 0);
  return 0;
}

/**
 * The first and the last 2.x and two evenly between them, of each minor version its last release.
 * @param {readonly string[]} versions
 * @returns {string[]} older first; fewer than four where fewer are served
 */
export function chooseVersions(versions) {
  const stable = versions.filter((version) => /^[2-9]\d*\.\d+\.\d+$/.test(version)).sort(byVersion);
  const minors = [...new Map(stable.map((version) => [version.split('.').slice(0, 2).join('.'), version])).values()];
  const last = minors.length - 1;
  const places = new Set([0, 1 / 3, 2 / 3, 1].map((share) => Math.round(share * last)));
  return [...places].flatMap((place) => minors[place] ?? []);
}
