/**
 * `npm run fuzz -- [--target NAME …] [--cases 100000] [--seed 0] [--case INDEX]`: hostile files for everything that reads foreign
 * bytes. Exit code 1 where something was found; the files that show it are kept.
 */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Finding, fuzz } from './supervise.js';
import { isTargetName, type TargetName, targetNames } from './targets/index.js';

const { values } = parseArgs({
  options: {
    target: { type: 'string', multiple: true },
    cases: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '0' },
    case: { type: 'string' },
  },
});

function whole(option: 'cases' | 'seed' | 'case', text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= 0) return value;
  process.stderr.write(`fuzz: --${option} ${text}: give a whole number from 0\n`);
  process.exit(1);
}

function chosen(name: string): TargetName {
  if (isTargetName(name)) return name;
  process.stderr.write(`fuzz: --target ${name}: there are ${targetNames.join(', ')}\n`);
  process.exit(1);
}

/** Writes the files of a finding. @returns their folder */
function keep(target: TargetName, { index, files }: Finding): string {
  const folder = join(mkdtempSync(join(tmpdir(), 'looprpt-finding-')), `${target}-${index}`);
  for (const { name, base64 } of files) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), Buffer.from(base64, 'base64'));
  }
  return folder;
}

const seed = whole('seed', values.seed);
const only = values.case === undefined ? null : whole('case', values.case);
const [from, to] = only === null ? [0, whole('cases', values.cases)] : [only, only + 1];

for (const target of (values.target ?? targetNames).map(chosen)) {
  const begin = performance.now();
  const { isTTY } = process.stderr;
  const onProgress = (done: number): void => {
    if (isTTY) process.stderr.write(`\r${target} ${done} of ${to}`);
  };
  const { cases, refused, inputBytes, findings } = await fuzz({ target, seed, from, to, onProgress });
  if (isTTY) process.stderr.write('\r\x1b[K');
  const seconds = ((performance.now() - begin) / 1000).toFixed(0);
  const size = (inputBytes / Math.max(1, cases)).toFixed(0);
  process.stdout.write(
    `${target}: ${cases} cases of ${size} bytes on average in ${seconds} s, ${refused} refused, ${findings.length} findings\n`,
  );
  for (const finding of findings) {
    process.exitCode = 1;
    const again = `npm run fuzz -- --target ${target} --seed ${seed} --case ${finding.index}`;
    const files = finding.files.length > 0 ? `files: ${keep(target, finding)}` : 'the process ended';
    process.stdout.write(`  case ${finding.index}: ${finding.fault}\n  ${files}\n  again: ${again}\n`);
  }
}
