#!/usr/bin/env node
/**
 * `npm run bench:checkpoint`: how long a checkpoint takes and how much of it training notices, written in the background and
 * waited for. A table first; the last line is one JSON object. docs/design/durability.md says how to read it.
 */
import { Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { progress } from 'looprpt/internal/base/terminal/progress.js';
import { renderTable } from 'looprpt/internal/base/terminal/table.js';
import { defaultThreads, prepareThreads } from 'looprpt/internal/base/threads.js';
import { integer } from 'looprpt/internal/cli/values.js';
import { MODELS, MODES } from './cases.js';
import { type Stall, type StallRow, WRITINGS } from './checkpoint-stall.js';

function among(known: readonly string[]): (text: string) => string[] {
  return (text) => {
    const names = text.split(',');
    const unknown = names.find((name) => !known.includes(name));
    if (unknown !== undefined) throw new InvalidArgumentError(`'${unknown}' is none of ${known.join(', ')}.`);
    return names;
  };
}

const MODE_NAMES = MODES.map(({ name }) => name);

const command = new Command('bench:checkpoint')
  .description('Times checkpoints and the stall that they cause in training. A few minutes on two idle cores.')
  .option('--models <names>', `of ${MODELS.map(({ name }) => name).join(', ')}`, among(MODELS.map(({ name }) => name)))
  .option('--mode <name>', `what a step does: ${MODE_NAMES.join(', ')}`, among(MODE_NAMES), ['looprpt'])
  .option(
    '--rows <n>',
    'rows of 128 places in a batch; small batches make small steps, which notice more',
    integer(1),
    4,
  )
  .option('--steps <n>', 'steps of a turn, with one checkpoint before the first', integer(1), 10)
  .option('--turns <n>', 'turns of each kind', integer(1), 5)
  .option('--threads <n>', 'of the training process', integer(1), defaultThreads(process.env))
  .option('--folder <path>', 'where checkpoints are written (default: the temporary folder)');

const { models = ['2M', '12M'], mode, rows, steps, turns, threads, folder } = command.parse().opts();
// Before libtorch is loaded, which reads the environment.
prepareThreads(process.env, threads);
const { measureStall } = await import('./checkpoint-stall.js');
const results: StallRow[] = [];
for (const name of models) {
  const bar = progress(`checkpoints of ${name}`, turns * WRITINGS.length);
  results.push(
    await measureStall({
      model: MODELS.find((model) => model.name === name)!,
      shape: { B: rows, T: 128 },
      mode: mode[0]!,
      steps,
      turns,
      folder,
      onTurn: (turn, writing) => bar.update(turn * WRITINGS.length + WRITINGS.indexOf(writing), writing),
    }),
  );
  bar.done();
}

const ms = (seconds: number): string => `${(1000 * seconds).toFixed(0)} ms`;
const stall = ({ seconds, inSteps, shareEvery50 }: Stall): string =>
  `${ms(seconds)} = ${inSteps.toFixed(2)} steps (${(100 * shareEvery50).toFixed(1)} % at 1 in 50)`;
const table = renderTable(
  ['model', 'checkpoint', 'step', 'check', 'copy', 'write', 'stall in the background', 'stall if waited for'],
  results.map((row) => [
    row.model,
    `${(row.bytes / 2 ** 20).toFixed(0)} MB`,
    ms(row.stepSeconds),
    ms(row.checkSeconds),
    ms(row.snapshotSeconds),
    ms(row.writeSeconds),
    stall(row.background),
    stall(row.waited),
  ]),
  { indent: 2 },
);
process.stdout.write(`${table}\n${JSON.stringify({ mode: mode[0], rows, steps, turns, threads, results })}\n`);
