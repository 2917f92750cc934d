/** `looprpt doctor`: what is there, what is missing, and the command that mends it. */
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { type Cli, factLines, printJson, printLine } from '../../base/terminal/cli.js';
import { newCommand } from '../command.js';

export function doctorCommand(cli: Cli): CommandUnknownOpts {
  return newCommand(
    cli,
    'doctor',
    'Says what is there, what is missing and how to mend it. That is: libtorch and how it was found, the addon, threads, BLAS, CUDA, number formats. Ends with 1 when the engine cannot be used.',
    'npx looprpt doctor',
  ).action(async ({ json, threads }) => {
    const { diagnose, doctorFacts } = await import('../diagnosis.js');
    const diagnosis = await diagnose(threads);
    if (json) printJson(cli, diagnosis);
    else printLine(cli, factLines(doctorFacts(diagnosis)));
    cli.exitCode = diagnosis.ok ? 0 : 1;
  });
}
