/** `looprpt start`: the first-contact job, which `npm start` runs after the set-up. */
import { existsSync } from 'node:fs';
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { interruption } from '../../base/interrupt.js';
import { requireEngine } from '../../base/prepare-engine.js';
import type { Cli } from '../../base/terminal/cli.js';
import { defaultThreads } from '../../base/threads.js';
import { UserError } from '../../base/user-error.js';
import type { StartOptions } from '../../start/start.js';
import type { TextTopic } from '../../start/text-source.js';
import { newGroup } from '../command.js';
import { integer, real } from '../values.js';

export function startCommand(cli: Cli): CommandUnknownOpts {
  return newGroup(cli, 'start')
    .summary('The whole path in a few minutes')
    .description(
      'The whole path: a base LoopLM, LoopRPT and the strongest baselines on it, their evaluation on held-out documents, a verdict and a report. A generated task in a few minutes, or your own text in the time that you give.',
    )
    .option('--out <dir>', 'where runs and report go', 'runs/start')
    .option(
      '--input <path...>',
      'your own text instead of the generated task: files, folders, patterns, or data sets of the Hub (OWNER/NAME, hf://datasets/OWNER/NAME)',
    )
    .option(
      '--dataset <name>',
      'a data set by name: gsm8k, omni-math or math; --input says where it lies (default: the Hub); or OWNER/NAME of the Hub',
    )
    .option(
      '--model <id>',
      'with text: a folder, a run or a Hub id to start from, instead of a base trained on the spot',
    )
    .option(
      '--minutes <n>',
      'with text: the time for all of it; model and steps are chosen to fit (default: 20)',
      real(1),
    )
    .option('--threads <n>', 'CPU threads (default: OMP_NUM_THREADS, else one for each physical core)', integer(1))
    .option('--seed <n>', 'of everything that is drawn by chance', integer(0, 2 ** 50), 0)
    .option('--quiet', 'no progress and no remarks on stderr')
    .addHelpText('after', '\nExample:\n  npx looprpt start --input corpus/ --minutes 20 --out runs/own')
    .action(async ({ out, threads = defaultThreads(process.env), seed, quiet = false, ...asked }) => {
      const text = await textOf(asked);
      requireEngine();
      const { runStart } = await import('../../start/start.js');
      using interrupted = interruption(cli.stderr, {
        words: 'stopping; the same command goes on from here, and Ctrl-C again stops at once',
      });
      await runStart({ out, quiet, threads, seed, text, signal: interrupted.signal });
      if (interrupted.signal.aborted) cli.exitCode = 130;
    });
}

const MINUTES = 20;

interface Asked {
  input?: string[] | undefined;
  dataset?: string | undefined;
  model?: string | undefined;
  minutes?: number | undefined;
}

async function textOf({ input, dataset, model, minutes }: Asked): Promise<StartOptions['text']> {
  if (input === undefined && dataset === undefined) {
    for (const [name, value] of Object.entries({ model, minutes }))
      if (value !== undefined) throw new UserError(`--${name} is for text: give --input PATH… or --dataset NAME too`);
    return undefined;
  }
  for (const path of input ?? [])
    if (!/[*?[{]/.test(path) && !existsSync(path) && (await hubIdOf(path)) === null)
      throw new UserError(`--input ${path}: no such file or folder`);
  return { topic: await topicOf(dataset, input), model, minutes: minutes ?? MINUTES };
}

async function hubIdOf(text: string): Promise<unknown> {
  const { hubDatasetId } = await import('../../data/documents/hub-dataset.js');
  return hubDatasetId(text);
}

async function topicOf(dataset: string | undefined, input: readonly string[] = []): Promise<TextTopic> {
  if (dataset === undefined) return { kind: 'files', paths: input };
  const { namedSourceSchema } = await import('../../data/documents/named.js');
  const name = namedSourceSchema.shape.name.safeParse(dataset);
  if (!name.success && dataset.includes('/') && (await hubIdOf(dataset)) !== null) {
    if (input.length > 0) throw new UserError(`--dataset ${dataset} is a data set of the Hub and takes no --input`);
    return { kind: 'files', paths: [dataset] };
  }
  if (!name.success)
    throw new UserError(
      `--dataset ${dataset}: no such data set; there are gsm8k, omni-math, math, and OWNER/NAME of the Hub`,
    );
  if (input.length > 1)
    throw new UserError(`--dataset ${dataset} takes one --input, the folder or file of the data set`);
  return { kind: 'named', name: name.data, path: input[0] };
}
