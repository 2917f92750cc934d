#!/usr/bin/env node
/**
 * `npm run bench:train`: whole training steps of ours against those of the PyTorch peer in lab/peer, on the same weights and
 * batches, with the same threads, in turns. Tables first; the last line is one JSON object. docs/results/performance.md says how.
 */
import { Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { defaultThreads } from 'looprpt/internal/base/threads.js';
import { UserError } from 'looprpt/internal/base/user-error.js';
import { integer } from 'looprpt/internal/cli/values.js';
import { type BatchShape, chooseCases, MODELS, MODES } from './cases.js';
import { benchTrain } from './run.js';

function among(known: readonly string[]): (text: string) => string[] {
  return (text) => {
    const names = text.split(',');
    const unknown = names.find((name) => !known.includes(name));
    if (unknown !== undefined) throw new InvalidArgumentError(`'${unknown}' is none of ${known.join(', ')}.`);
    return names;
  };
}

function shapes(text: string): BatchShape[] {
  return text.split(',').map((shape) => {
    const [, B, T] = /^([1-9]\d*)x([1-9]\d*)$/.exec(shape) ?? [];
    if (B === undefined) throw new InvalidArgumentError(`'${shape}' is not of the form 16x128 (rows x places).`);
    return { B: Number(B), T: Number(T) };
  });
}

const command = new Command('bench:train')
  .description("Times whole training steps against the PyTorch peer's. About half an hour on two idle cores.")
  .option('--models <names>', `of ${MODELS.map(({ name }) => name).join(', ')}`, among(MODELS.map(({ name }) => name)))
  .option('--shapes <list>', 'batches, rows x places: 16x128,4x512', shapes)
  .option('--modes <names>', `of ${MODES.map(({ name }) => name).join(', ')}`, among(MODES.map(({ name }) => name)))
  .option('--reps <n>', 'measured steps of each (default: 7, with --quick 3)', integer(1))
  .option('--warmup <n>', 'steps before them', integer(0), 1)
  .option('--threads <n>', 'of each side', integer(1), defaultThreads(process.env))
  .option('--python <path>', 'the Python for the peer (default: one that has PyTorch)')
  .option('--apart', 'one process in memory at a time, in two halves: for what does not fit together', false)
  .option('--quick', 'two small models, one shape, four modes: about two minutes', false)
  .option('--profile', 'times by part of the algorithm and by operator, too', false);

const { models, shapes: chosenShapes, modes, reps, quick, ...options } = command.parse().opts();
try {
  const ok = await benchTrain({
    ...options,
    cases: chooseCases({ models, shapes: chosenShapes, modes, quick }),
    reps: reps ?? (quick ? 3 : 7),
  });
  process.exitCode = ok ? 0 : 1;
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`bench:train: ${error.message}\n`);
  process.exitCode = 1;
}
