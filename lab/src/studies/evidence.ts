#!/usr/bin/env node
/**
 * `npm run evidence`: the bench of experiments. `-- list` says which studies there are, `-- NAME` runs one from nothing or goes on with
 * it, `-- figures` draws everything in lab/results/studies again from the committed outcomes.
 */
import { Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { UserError } from 'looprpt/internal/base/user-error.js';
import { integer } from 'looprpt/internal/cli/values.js';
import { drawAll, REPOSITORY } from './publish.js';
import type { Inputs } from './ready-corpus.js';
import { runStudy } from './run-study.js';
import { STUDIES } from './studies/index.js';
import { TEXTS } from './study.js';

function names(text: string): string[] {
  return text.split(',');
}

function input(text: string, before: Inputs): Inputs {
  const [, name, path] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  const known = TEXTS.find((one) => one === name);
  if (!known || !path)
    throw new InvalidArgumentError(`'${text}' is not of the form NAME=PATH with NAME ${TEXTS.join(' or ')}.`);
  return { ...before, [known]: path };
}

const program = new Command('evidence').description('The bench of experiments: runs a study and writes what it shows.');

program
  .command('list')
  .description('the studies')
  .action(() => {
    for (const { name, title, regime, arms, seeds } of STUDIES)
      process.stdout.write(`${name.padEnd(20)} ${regime}  ${arms.length} arms, ${seeds.length} seeds  ${title}\n`);
  });

program
  .command('figures')
  .description('draws figures and docs/results again from the outcomes in lab/results/studies')
  .action(async () => {
    const drawn = await drawAll(REPOSITORY);
    process.stdout.write(
      drawn.length > 0 ? `drawn: ${drawn.join(', ')}\n` : 'lab/results/studies has no outcomes yet\n',
    );
  });

program
  .command('run', { isDefault: true })
  .description('runs a study, or goes on with it')
  .argument('<name>', `of ${STUDIES.map(({ name }) => name).join(', ')}`)
  .option('--seeds <n>', "seeds (default: the study's)", integer(1))
  .option('--arms <names>', 'only these arms, by commas; the base and the arm of equal compute are always in', names)
  .option('--quick', 'everything a twentieth: shows that it runs, and nothing else', false)
  .option('--no-tuning', 'every arm with the middle one of the settings that would be tried')
  .option('--no-compute', 'equal tokens only')
  .option('--input <name=path>', `a data set of real text: ${TEXTS.join(', ')}; may be repeated`, input, {} as Inputs)
  .option('--out <folder>', 'where the work is kept', 'runs/evidence')
  .option('--jobs <n>', 'runs at a time, each in a process of its own', integer(1), 2)
  .option('--threads <n>', 'CPU threads of each', integer(1), 1)
  .option('--resamples <n>', 'of the bootstrap', integer(1), 2000)
  .option('--try', 'the trials on the tuning split alone, as a table; nothing is judged or written', false)
  .option('--dry-run', 'how many runs there are to make and how long they will take, and nothing else', false)
  .option('--publish', 'write to docs even if it is not the whole study', false)
  .option('--quiet', 'no progress', false)
  .action((name, options) => runStudy(name, options));

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`evidence: ${error.message}\n`);
  process.exitCode = 1;
}
