import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import type { Cli } from '../../base/terminal/cli.js';
import { UserError } from '../../base/user-error.js';
import { newGroup } from '../command.js';
import { integer, real } from '../values.js';

const DEFAULT_PORT = 29500;

export function launchCommand(cli: Cli): CommandUnknownOpts {
  return newGroup(cli, 'launch')
    .summary('starts several ranks of a command on this machine')
    .description(
      "Starts several ranks of a command on this machine, each with torchrun's environment variables. When one fails, the others are stopped, the failure is shown and its exit code is the launcher's. A command that begins with pretrain, train or eval is looprpt's own; after a restart, training goes on from its newest checkpoint.",
    )
    .argument('<command...>', 'the command, behind --')
    .requiredOption('--nproc <n>', 'ranks on this machine', integer(1, 1024))
    .option('--max-restarts <n>', 'how often all ranks are started again after a failure', integer(0), 0)
    .option(
      '--grace <seconds>',
      'between the signal that asks the other ranks to stop and the one that makes them',
      real(0),
      15,
    )
    .option('--nnodes <n>', 'machines; each starts its own launcher', integer(1), 1)
    .option('--node-rank <n>', 'the number of this machine, from 0', integer(0), 0)
    .option('--master-addr <host>', 'the machine of rank 0 (default: this one)')
    .option(
      '--master-port <port>',
      `of rank 0's store, and the ports behind it for restarts (default: a free one; ${DEFAULT_PORT} with several machines)`,
      integer(1, 65535),
    )
    .option('--quiet', 'no remarks about restarts')
    .addHelpText(
      'after',
      '\nExample:\n  npx looprpt launch --nproc 2 --max-restarts 3 -- train --config recipes/hop-looprpt.yaml',
    )
    .action(async (command, { nproc, maxRestarts, grace, nnodes, nodeRank, masterAddr, masterPort, quiet }) => {
      if (nodeRank >= nnodes)
        throw new UserError(`--node-rank ${nodeRank}: with --nnodes ${nnodes} the last one is ${nnodes - 1}`);
      if (nnodes > 1 && masterAddr === undefined)
        throw new UserError(
          '--nnodes needs --master-addr: the host name of the machine with --node-rank 0, as all others reach it',
        );
      const { launch } = await import('../../train/launch/launch.js');
      cli.exitCode = await launch(
        {
          command,
          nproc,
          maxRestarts,
          graceSeconds: grace,
          nnodes,
          nodeRank,
          masterAddress: masterAddr ?? '127.0.0.1',
          masterPort: masterPort ?? (nnodes > 1 ? DEFAULT_PORT : null),
          environment: process.env,
          quiet: quiet ?? false,
        },
        cli,
      );
    });
}
