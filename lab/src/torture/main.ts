#!/usr/bin/env node
/**
 * `npm run torture`: kills training runs at random, resumes them, and holds their ends against those of runs that nobody disturbed; then
 * disks that refuse. A table first; the last line is one JSON object. docs/design/durability.md says what is compared.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from '@commander-js/extra-typings';
import { progress } from 'looprpt/internal/base/terminal/progress.js';
import { renderTable } from 'looprpt/internal/base/terminal/table.js';
import { physicalCores } from 'looprpt/internal/base/threads.js';
import { UserError } from 'looprpt/internal/base/user-error.js';
import { integer } from 'looprpt/internal/cli/values.js';
import { problemsOf, type TortureResult, torture } from './torture.js';

const command = new Command('torture')
  .description('Kills training runs at random and proves that none is lost. About five minutes on two cores.')
  .option('--kills <n>', 'runs to kill, each with an end to compare', integer(1), 50)
  .option('--seed <n>', 'of the runs and of the moments (default: by the clock)', integer(0, 2 ** 50))
  .option('--parallel <n>', 'runs at a time (default: one for each core)', integer(1))
  .option('--folder <path>', 'where the runs lie (default: the temporary folder)');

const { kills: ends, seed = Date.now(), parallel = physicalCores() ?? 1, folder } = command.parse().opts();
const base = mkdtempSync(join(folder ?? tmpdir(), 'looprpt-torture-'));
const began = performance.now();

function table({ ends, disks, noDisks }: TortureResult): string {
  const kills = ends.flatMap((end) => end.kills.map((kill) => ({ ...kill, same: end.problems.length === 0 })));
  const counted = (some: typeof kills): string =>
    `${some.length} kills, ${some.filter(({ same }) => same).length} ended the same`;
  const rows = [
    ['before the first step was logged', counted(kills.filter(({ steps, inWrite }) => !inWrite && steps === 0))],
    ['in or between steps', counted(kills.filter(({ steps, inWrite }) => !inWrite && steps > 0))],
    ['while a checkpoint was written or removed', counted(kills.filter(({ inWrite }) => inWrite))],
    ...disks.map(({ name, means, problems }) => [
      `${name} (${means})`,
      problems.length === 0 ? 'one line, exit code 1, resumed, ended the same' : 'failed',
    ]),
    ...(noDisks === null ? [] : [['disks that refuse', `not tried: ${noDisks}`]]),
  ];
  return renderTable(['disturbance', 'outcome'], rows, { indent: 2 });
}

const bar = progress('ends', ends);
try {
  const result = await torture({ ends, seed, parallel, folder: base, onEnd: (done) => bar.update(done) });
  bar.done();
  const problems = problemsOf(result);
  const seconds = (performance.now() - began) / 1000;
  const same = result.ends.filter((end) => end.problems.length === 0).length;
  const kills = result.ends.flatMap((end) => end.kills);
  const inWrites = kills.filter(({ inWrite }) => inWrite).length;
  process.stdout.write(`${table(result)}\n`);
  for (const problem of problems) process.stdout.write(`  ${problem}\n`);
  const disks = result.disks.map(({ name, means, said, problems: wrong }) => ({
    name,
    means,
    said,
    ok: wrong.length === 0,
  }));
  const summary = {
    ends,
    same,
    kills: kills.length,
    inWrites,
    seed,
    parallel,
    seconds,
    disks,
    noDisks: result.noDisks,
    problems,
  };
  process.stdout.write(`${JSON.stringify(summary)}\n`);
  if (problems.length === 0) rmSync(base, { recursive: true });
  else process.stderr.write(`torture: the runs that went wrong are in ${base}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`torture: ${error.message}\n`);
  process.exitCode = 1;
}
