/** `docs/reference/cli.md` and the list of all options, from the commands themselves. Used by tests, which hold the files against it. */
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { Help } from '@commander-js/extra-typings';

/** Every command with a name of several words in full, in the order of the help. */
export function allCommands(command: CommandUnknownOpts, prefix = ''): { name: string; command: CommandUnknownOpts }[] {
  return command.commands.flatMap((inner) => {
    const name = `${prefix}${inner.name()}`;
    return inner.commands.length > 0 ? allCommands(inner, `${name} `) : [{ name, command: inner }];
  });
}

/** The text behind the options: the example. */
export function exampleOf(command: CommandUnknownOpts): string | undefined {
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text) });
  command.outputHelp();
  return /Example:\n {2}(.+)/.exec(help)?.[1];
}

const COMMON = 'Common options:';

export function cliPage(program: CommandUnknownOpts): string {
  const commands = allCommands(program);
  const common = commands.find(({ name }) => name === 'doctor')!.command;
  return `# The command line

\`looprpt COMMAND\`, from a clone \`npx looprpt COMMAND\`. Loops are counted from 1. Results go to standard output, words for
people to standard error; with \`--json\`, standard output carries one JSON object. Paths, in configurations too, are relative to
the folder that the command is started in. \`looprpt COMMAND --help\` shows what stands here.

Exit codes: 0 done; 1 the input is at fault (one line says what, where, and how to mend it); 2 a fault of ours; 130 interrupted,
after a checkpoint.

Wherever a model is asked for, it may be a model folder, the id of one on the Hugging Face Hub (\`owner/name\` or
\`owner/name@revision\`), or a run folder, which means the blended model of a run that has ended with \`blend\` below 1, and else its
newest whole checkpoint.

The Hub's settings and cache are those of Python's \`huggingface_hub\`: HF_TOKEN or the login's token file (HF_TOKEN_PATH), HF_ENDPOINT,
HF_HUB_OFFLINE, HF_HOME and HF_HUB_CACHE. Files are held against the hashes that the Hub names.

${table(commands.map(({ name, command }) => [`[\`${name}\`](#${name.replaceAll(' ', '-')})`, command.summary()]))}

Options that every command but \`start\` and \`launch\` takes:

${optionTable(common, (heading) => heading === COMMON)}

${commands.map(section).join('\n\n')}
`;
}

function section({ name, command }: { name: string; command: CommandUnknownOpts }): string {
  const usage = [name, ...command.registeredArguments.map((argument) => new Help().argumentTerm(argument))];
  const words = command.registeredArguments.map((argument) =>
    argument.required ? `<${argument.name()}${argument.variadic ? '...' : ''}>` : `[${argument.name()}]`,
  );
  const own = optionTable(command, (heading) => heading !== COMMON);
  return [
    `## ${name}`,
    command.description(),
    `\`\`\`sh\n${exampleOf(command)}\n\`\`\``,
    ...(usage.length > 1 ? [`Arguments: \`${words.join(' ')}\`.`] : []),
    ...(own === '' ? [] : [own]),
  ].join('\n\n');
}

function optionTable(command: CommandUnknownOpts, wanted: (heading: string) => boolean): string {
  const options = command.options.filter((option) => wanted(option.helpGroupHeading ?? ''));
  if (options.length === 0) return '';
  const help = new Help();
  return table(options.map((option) => [`\`${option.flags}\``, help.optionDescription(option)]));
}

function table(rows: readonly (readonly [string, string])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(['', '']), '|---|---|', ...rows.map(line)].join('\n');
}
