/** The options that `pretrain` and `train` have in common. */
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import type { Cli } from '../base/terminal/cli.js';
import { UserError } from '../base/user-error.js';
import { restartCount } from '../train/launch/environment.js';
import { newCommand } from './command.js';
import type { TrainingKind } from './training-config.js';
import { integer, repeated } from './values.js';

export function newTrainingCommand(
  cli: Cli,
  kind: TrainingKind,
  description: string,
  example: string,
): CommandUnknownOpts {
  return newCommand(cli, kind, description, example)
    .option('--config <file>', 'YAML or JSON; paths in it are relative to the current folder')
    .option('--set <key.path=value>', 'replaces a value of the configuration, in YAML (repeatable)', repeated)
    .option('--out <dir>', "the run folder, instead of the configuration's")
    .option('--resume', 'go on from the newest whole checkpoint in the run folder; starts where there is none')
    .option(
      '--extend <steps>',
      'with --resume: go on to so many steps, also where the run has ended; the learning rate follows the longer schedule',
      integer(1),
    )
    .option('--dry-run', 'print the resolved configuration, parameters, memory and FLOPs, and stop')
    .allowExcessArguments()
    .action(async (options, command) => {
      const [given] = command.args;
      if (given !== undefined) throw new UserError(`${kind} takes its configuration by name: --config ${given}`);
      const { trainingCommand } = await import('./training.js');
      // A launcher that starts all ranks again cannot change their command line.
      const resumed = restartCount(process.env) > 0 ? ({ resume: true } as const) : {};
      await trainingCommand(cli, kind, { ...options, ...resumed });
    });
}
