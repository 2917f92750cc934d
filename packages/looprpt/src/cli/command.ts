/**
 * How every command of ours behaves: the options that all of them take, one line for a mistake, an example at the end of
 * the help. Commander's errors are thrown, so that `main` decides the exit code.
 */
import { Command, Help, Option } from '@commander-js/extra-typings';
import { MODEL_DTYPES, type ModelDType } from '../base/dtypes.js';
import type { Cli } from '../base/terminal/cli.js';
import { device, integer } from './values.js';

const COMMON = 'Common options:';

/** A command without options, for groups and for the program itself. */
export function newGroup(cli: Cli, name: string): Command {
  const columns = (stream: Cli['stdout']): number => stream.columns ?? 100;
  return new Command(name)
    .exitOverride()
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .configureOutput({
      writeOut: (text) => cli.stdout.write(text),
      writeErr: (text) => cli.stderr.write(text),
      outputError: (text) => cli.stderr.write(`looprpt: ${oneLine(text)}\n`),
      getOutHelpWidth: () => columns(cli.stdout),
      getErrHelpWidth: () => columns(cli.stderr),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .configureHelp({ groupItems: ownOptionsFirst });
}

/**
 * A command with the options that every command takes.
 * @param description sentences; the first is the command's line in a list @param example a whole command line
 */
export function newCommand(cli: Cli, name: string, description: string, example: string) {
  return newGroup(cli, name)
    .summary(/^.*?\.(?= |$)/.exec(description)![0].slice(0, -1))
    .description(description)
    .addHelpText('after', `\nExample:\n  ${example}`)
    .optionsGroup(COMMON)
    .option('--device <device>', 'where the model runs: cpu, cuda or cuda:N (default: cuda when there is one)', device)
    .addOption(
      new Option('--dtype <dtype>', "of weights and activations (default: the model's own)").choices(MODEL_DTYPES),
    )
    .option('--threads <n>', 'CPU threads (default: OMP_NUM_THREADS, else one for each physical core)', integer(1))
    .option('--seed <n>', 'of everything that is drawn by chance (default: 0)', integer(0, 2 ** 50))
    .option('--quiet', 'no progress and no remarks on stderr')
    .option('--json', 'the result as one JSON object on stdout')
    .optionsGroup('Options:');
}

/** What every command can be asked. */
export interface CommonOptions {
  device?: string;
  dtype?: ModelDType;
  threads?: number;
  seed?: number;
  quiet?: true;
  json?: true;
}

/** Commander's message without its "error: ", its suggestion on the same line. */
function oneLine(text: string): string {
  return text
    .replace(/^error: /, '')
    .trim()
    .replace(/\s*\n\s*/g, ' ');
}

function ownOptionsFirst<T>(this: Help, all: T[], visible: T[], groupOf: (item: T) => string): Map<string, T[]> {
  const groups = Help.prototype.groupItems.call(
    this,
    all as never,
    visible as never,
    groupOf as never,
  ) as unknown as Map<string, T[]>;
  const common = groups.get(COMMON);
  if (common) {
    groups.delete(COMMON);
    groups.set(COMMON, common);
  }
  return groups;
}
