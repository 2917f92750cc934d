/** `looprpt start`: the first-contact job, which `npm start` runs after the set-up. */
import { existsSync } from 'node:fs';
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { interruption } from '../../base/interrupt.js';
import { requireEngine } from '../../base/prepare-engine.js';
import type { Cli } from '../../base/terminal/cli.js';
import { defaultThreads } from '../../base/threads.js';
import { UserError } from '../../base/user-error.js';
import type { TextTopic } from '../../start/text-setting.js';
import { newGroup } from '../command.js';
import { integer } from '../values.js';

export function startCommand(cli: Cli): CommandUnknownOpts {
  return newGroup(cli, 'start')
    .summary('The whole path in a few minutes')
    .description(
      'The whole path in a few minutes: a small base LoopLM, LoopRPT and the strongest baseline on it for the same tokens, their evaluation, a table and a report.',
    )
    .option('--out <dir>', 'where runs and report go', 'runs/start')
    .option(
      '--dataset <name>',
      'real text instead of the generated task, with a base of its own: gsm8k, omni-math or math',
    )
    .option('--input <path>', 'with --dataset: a file of it or a folder with its files (default: from the Hub)')
    .option('--threads <n>', 'CPU threads (default: OMP_NUM_THREADS, else one for each physical core)', integer(1))
    .option('--seed <n>', 'of everything that is drawn by chance', integer(0, 2 ** 50), 0)
    .option('--quiet', 'no progress and no remarks on stderr')
    .addHelpText('after', '\nExample:\n  npx looprpt start --dataset gsm8k --input gsm8k/ --out runs/gsm8k')
    .action(async ({ out, dataset, input, threads = defaultThreads(process.env), seed, quiet = false }) => {
      const topic = await topicOf(dataset, input);
      requireEngine();
      const { runStart } = await import('../../start/start.js');
      using interrupted = interruption(cli.stderr);
      await runStart({ out, quiet, threads, seed, topic, signal: interrupted.signal });
      if (interrupted.signal.aborted) cli.exitCode = 130;
    });
}

async function topicOf(dataset: string | undefined, path: string | undefined): Promise<TextTopic | undefined> {
  if (dataset === undefined) {
    if (path !== undefined) throw new UserError('--input needs --dataset: gsm8k, omni-math or math');
    return undefined;
  }
  const { namedSourceSchema } = await import('../../data/documents/named.js');
  const name = namedSourceSchema.shape.name.safeParse(dataset);
  if (!name.success) throw new UserError(`--dataset ${dataset}: no such data set; there are gsm8k, omni-math, math`);
  if (path !== undefined && !existsSync(path)) throw new UserError(`--input ${path}: no such file or folder`);
  return { name: name.data, path };
}
