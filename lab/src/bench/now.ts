#!/usr/bin/env node
/**
 * `npm run bench:now`: whole training steps of ours against the newest PyTorch at hand, each in float32 and bfloat16, the peer eager and
 * compiled, with its fused attention and with plain products. All in turns; the ratio is that of the best of each side.
 */
import { Command } from '@commander-js/extra-typings';
import { defaultThreads } from 'looprpt/internal/base/threads.js';
import { UserError } from 'looprpt/internal/base/user-error.js';
import { integer } from 'looprpt/internal/cli/values.js';
import { MODELS, MODES } from './cases.js';
import { benchNow } from './now-run.js';

const command = new Command('bench:now')
  .description('Times training steps against the newest PyTorch at its best. About ten minutes on two idle cores.')
  .option('--models <names...>', `of ${MODELS.map(({ name }) => name).join(', ')}`, ['2M', '12M'])
  .option('--modes <names...>', `of ${MODES.map(({ name }) => name).join(', ')}`, ['stage1', 'looprpt-hard-gate'])
  .option('--reps <n>', 'measured steps of each', integer(1), 7)
  .option('--warmup <n>', 'steps before them; compiling takes the first', integer(1), 2)
  .option('--threads <n>', 'of each side', integer(1), defaultThreads(process.env))
  .option('--ways <parts...>', 'only ways with one of these in their name; at 12M all of them together take 20 GB')
  .option(
    '--compile-only',
    "fill the cache of torch.compile (.cache/bench-now), so that a later run's time is none of it",
    false,
  )
  .option('--into <file>', 'an outcome to put the results into, in place of those of the same models and modes')
  .option('--python <path>', 'a Python with PyTorch 2 (default: LOOPRPT_PEER_PYTHON, else the newest at hand)');

const { models, modes, python, ...options } = command.parse().opts();
try {
  const named = python ?? process.env.LOOPRPT_PEER_PYTHON;
  await benchNow({
    ...options,
    python: named,
    models: chosen(MODELS, models, '--models'),
    modes: chosen(MODES, modes, '--modes'),
  });
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`bench:now: ${error.message}\n`);
  process.exitCode = 1;
}

function chosen<T extends { name: string }>(known: readonly T[], names: readonly string[], option: string): T[] {
  return names.map((name) => {
    const found = known.find((one) => one.name === name);
    if (!found) throw new UserError(`${option} ${name}: is none of ${known.map((one) => one.name).join(', ')}`);
    return found;
  });
}
