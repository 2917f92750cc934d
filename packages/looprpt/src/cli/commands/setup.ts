/** `looprpt setup`: libtorch found or installed, the addon compiled against it. */
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { type Cli, printFacts, printJson } from '../../base/terminal/cli.js';
import { newCommand } from '../command.js';

export function setupCommand(cli: Cli): CommandUnknownOpts {
  return newCommand(
    cli,
    'setup',
    'Gets the engine ready: finds libtorch or installs it, and compiles the addon. Needed once after `npm install looprpt`, and after libtorch has changed; quick when there is nothing to do. Asks before it installs system packages.',
    'npx looprpt setup --yes',
  )
    .option('--yes', 'install system packages without asking')
    .action(async ({ yes = false, quiet = false, json = false }) => {
      const { SetupError, setupEngine } = await import('@looprpt/engine/setup');
      try {
        const build = await setupEngine({ yes: yes || process.env.LOOPRPT_YES === '1', quiet });
        const { version, root, how } = build.libtorch;
        if (json) printJson(cli, build);
        else
          printFacts(cli, [
            ['libtorch', `${version} at ${root} (${how})`],
            ['addon', build.addon],
          ]);
      } catch (error) {
        if (!(error instanceof SetupError)) throw error;
        // Several lines: commands to copy, or what the compiler says.
        cli.stderr.write(`looprpt: ${error.message}\n`);
        cli.exitCode = error.exitCode;
      }
    });
}
