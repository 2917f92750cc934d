/** `looprpt data make`: a generated reasoning task as JSONL. */
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { Option } from '@commander-js/extra-typings';
import { assigned } from '../../base/settings/assign.js';
import { type Cli, printJson, printLine } from '../../base/terminal/cli.js';
import { progress } from '../../base/terminal/progress.js';
import { UserError } from '../../base/user-error.js';
import { newCommand } from '../command.js';
import { integer, repeated } from '../values.js';

export function dataMakeCommand(cli: Cli): CommandUnknownOpts {
  return newCommand(
    cli,
    'make',
    'Writes a generated reasoning task as JSONL. The same seed gives the same file.',
    'npx looprpt data make hop --set hops=4 --count 2000 --out hop.jsonl',
  )
    .argument('[task]', 'the name of a task; --list names them')
    .option('--out <file>', 'the JSONL file to write')
    .option('--count <n>', 'how many documents', integer(1), 1000)
    .addOption(
      new Option('--split <split>', 'no problem is in two splits, whatever the seeds')
        .choices(['train', 'heldout', 'tune'])
        .default('train' as const),
    )
    .option('--set <key=value>', 'a setting of the task, in YAML (repeatable)', repeated)
    .option('--list', 'the tasks and their settings, and nothing is written')
    .action(async (task, options) => {
      const { listTasks, taskConfig, writeDocuments } = await import('../../data/tasks/index.js');
      if (options.list) {
        if (options.json) printJson(cli, { tasks: listTasks() });
        else printLine(cli, taskListing(listTasks()));
        return;
      }
      const { out, count, split, seed = 0, quiet = false } = options;
      if (task === undefined) throw new UserError('data make: name a task; `looprpt data make --list` shows them');
      if (out === undefined) throw new UserError(`data make ${task}: give --out FILE`);
      const config = taskConfig(task, assigned(options.set ?? []));
      using bar = progress(task, count, { stream: cli.stderr, quiet });
      await writeDocuments(config, { seed, split, count, out, onProgress: (written) => bar.update(written) });
      bar.done();
      if (options.json) printJson(cli, { out, documents: count, split, seed, task: config });
      else printLine(cli, `${out}: ${count} documents of ${task}, ${split}`);
    });
}

function taskListing(
  tasks: readonly {
    name: string;
    describe: string;
    settings: readonly { name: string; describe: string; default: unknown }[];
  }[],
): string {
  return tasks
    .map(({ name, describe, settings }) =>
      [
        `${name}: ${describe}`,
        ...settings.map(
          (setting) =>
            `  ${setting.name}: ${setting.describe}${setting.default === undefined ? '' : ` (default ${JSON.stringify(setting.default)})`}`,
        ),
      ].join('\n'),
    )
    .join('\n\n');
}
