/** `looprpt start`: the first-contact job, which `npm start` runs after the set-up. */
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import type { Cli } from '../cli.js';
import { newGroup } from '../command.js';
import { requireEngine } from '../engine.js';
import { interruption } from '../interrupt.js';
import { defaultThreads } from '../threads.js';
import { integer } from '../values.js';

export function startCommand(cli: Cli): CommandUnknownOpts {
  return newGroup(cli, 'start')
    .summary('The whole path in a few minutes')
    .description(
      'The whole path in a few minutes: a small base LoopLM, LoopRPT and the strongest baseline on it for the same tokens, their evaluation, a table and a report.',
    )
    .option('--out <dir>', 'where runs and report go', 'runs/start')
    .option('--threads <n>', 'CPU threads (default: OMP_NUM_THREADS, else one for each physical core)', integer(1))
    .option('--seed <n>', 'of everything that is drawn by chance', integer(0, 2 ** 50), 0)
    .option('--quiet', 'no progress and no remarks on stderr')
    .addHelpText('after', '\nExample:\n  npx looprpt start --out runs/first')
    .action(async ({ out, threads = defaultThreads(process.env), seed, quiet = false }) => {
      requireEngine();
      const { runStart } = await import('../../start/start.js');
      using interrupted = interruption(cli.stderr);
      await runStart({ out, quiet, threads, seed, signal: interrupted.signal });
      if (interrupted.signal.aborted) cli.exitCode = 130;
    });
}
