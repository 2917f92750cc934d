/**
 * The program: its commands, and what becomes of their errors.
 *
 * Nothing heavy is imported before a command runs, so that help is quick and works before the engine is built.
 */
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import type { Cli } from '../base/terminal/cli.js';
import { looprptVersion } from '../base/versions.js';
import { newGroup } from './command.js';
import { blendCommand } from './commands/blend.js';
import { dataCommand } from './commands/data.js';
import { doctorCommand } from './commands/doctor.js';
import { evalCommand } from './commands/eval.js';
import { generateCommand } from './commands/generate.js';
import { launchCommand } from './commands/launch.js';
import { lensCommand } from './commands/lens.js';
import { pretrainCommand } from './commands/pretrain.js';
import { quantizeCommand } from './commands/quantize.js';
import { reportCommand } from './commands/report.js';
import { serveCommand } from './commands/serve.js';
import { setupCommand } from './commands/setup.js';
import { startCommand } from './commands/start.js';
import { studioCommand } from './commands/studio.js';
import { tokenizerCommand } from './commands/tokenizer.js';
import { trainCommand } from './commands/train.js';
import { reportFailure } from './failure.js';

/**
 * Runs one command line.
 * @param args what stands behind the program's name
 * @returns the exit code: 0 done; 1 the input is at fault; 2 a fault of ours; 130 interrupted, after a checkpoint
 */
export async function main(args: readonly string[], streams: Pick<Cli, 'stdout' | 'stderr'>): Promise<Cli['exitCode']> {
  const cli: Cli = { stdout: streams.stdout, stderr: streams.stderr, args, exitCode: 0 };
  try {
    await program(cli).parseAsync(args, { from: 'user' });
  } catch (error) {
    reportFailure(cli, error);
  }
  return cli.exitCode;
}

export function program(cli: Cli): CommandUnknownOpts {
  return newGroup(cli, 'looprpt')
    .description(
      'Reinforcement pre-training for looped language models: train, evaluate, look inside, generate, serve.',
    )
    .version(looprptVersion(), '-V, --version', 'print the version')
    .addHelpText(
      'after',
      '\nExample:\n  npx looprpt train --config recipes/hop-looprpt.yaml\n\nExit codes: 0 done, 1 the input is at fault, 2 a fault of ours, 130 interrupted after a checkpoint.',
    )
    .addCommand(startCommand(cli))
    .addCommand(setupCommand(cli))
    .addCommand(doctorCommand(cli))
    .addCommand(dataCommand(cli))
    .addCommand(tokenizerCommand(cli))
    .addCommand(pretrainCommand(cli))
    .addCommand(trainCommand(cli))
    .addCommand(blendCommand(cli))
    .addCommand(evalCommand(cli))
    .addCommand(lensCommand(cli))
    .addCommand(generateCommand(cli))
    .addCommand(serveCommand(cli))
    .addCommand(quantizeCommand(cli))
    .addCommand(reportCommand(cli))
    .addCommand(studioCommand(cli))
    .addCommand(launchCommand(cli));
}
