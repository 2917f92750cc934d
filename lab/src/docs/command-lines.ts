/** Command lines in pages and in the heads of recipes: found, cut into words, and held against the real commands. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { CommanderError, type CommandUnknownOpts } from '@commander-js/extra-typings';
import { explainConfigError } from 'looprpt/internal/base/settings/config-error.js';
import { readSettings } from 'looprpt/internal/base/settings/config-file.js';
import type { Cli } from 'looprpt/internal/base/terminal/cli.js';
import { program } from 'looprpt/internal/cli/main.js';
import { expandPreset } from 'looprpt/internal/train/expand-preset.js';
import { runConfigSchema } from 'looprpt/internal/train/run-config.js';
import { allCommands } from '../../../packages/looprpt/test-support/cli-page.js';
import { STUDIES } from '../studies/studies/index.js';
import { type Code, filesBelow, REPOSITORY, read } from './pages.js';

export interface CommandLine {
  kind: 'looprpt' | 'npm';
  words: string[];
  /** Meant to be run as it stands. */
  isWhole: boolean;
}

const SHELLS = ['', 'sh', 'bash', 'console', 'shell'];

/** The command lines of ours in a piece of code; other programs' are left alone. */
export function commandLines({ text, isBlock, language }: Code): CommandLine[] {
  if (isBlock && !SHELLS.includes(language)) return [];
  return text
    .replace(/\\\n\s*/g, ' ')
    .split('\n')
    .flatMap((line) => commandsOf(shellWords(line)))
    .flatMap((words): CommandLine[] => {
      const at = words.findIndex((word, i) => word === 'npx' && words[i + 1] === 'looprpt');
      if (at >= 0) return [{ kind: 'looprpt', words: words.slice(at + 2), isWhole: isBlock }];
      return words[0] === 'npm' ? [{ kind: 'npm', words: words.slice(1), isWhole: isBlock }] : [];
    });
}

/** Cut at spaces, quotes kept together, without what stands behind a #. */
export function shellWords(line: string): string[] {
  const words = line.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? [];
  const comment = words.findIndex((word) => word.startsWith('#'));
  return (comment < 0 ? words : words.slice(0, comment)).map((word) => word.replace(/["']/g, ''));
}

function commandsOf(words: readonly string[]): string[][] {
  const commands: string[][] = [[]];
  for (const word of words) {
    if (['&', '&&', '|', '||', ';', '>', '2>'].includes(word)) commands.push([]);
    else if (!/^\w+=/.test(word) || commands.at(-1)!.length > 0) commands.at(-1)!.push(word);
  }
  return commands;
}

/** What is wrong with a command line; undefined when nothing is. */
export function wrong({ kind, words, isWhole }: CommandLine): string | undefined {
  return kind === 'npm' ? wrongScript(words) : wrongCommand(words, isWhole);
}

/** In a sentence a line may leave out what a command needs, and write N for a number. */
const MAY_BE_LEFT_OUT = ['commander.missingArgument', 'commander.help'];
const MAY_BE_NAMED = ['commander.invalidArgument', 'commander.unknownCommand'];
const PLACEHOLDER = /'[A-Z][A-Z:]*'|…/;

function wrongCommand(words: readonly string[], isWhole: boolean): string | undefined {
  const cut = words[0] === 'launch' ? words.indexOf('--') : -1;
  const behind = words.slice(cut + 1);
  if (cut >= 0 && ['pretrain', 'train', 'eval'].includes(behind[0]!)) {
    const inner = wrongCommand(behind, isWhole);
    if (inner) return inner;
  }
  const cli: Cli = { stdout: new PassThrough(), stderr: new PassThrough(), args: [], exitCode: 0 };
  const commands = program(cli);
  let found: { name: string; options: Record<string, unknown> } | undefined;
  for (const { name, command } of allCommands(commands)) {
    (command as CommandUnknownOpts).action(() => {
      found = { name, options: command.opts() };
    });
    if (!isWhole) for (const option of command.options) option.mandatory = false;
  }
  const arguments_ = words.filter((word) => word !== '…');
  try {
    commands.parse(arguments_, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const { code, message } = error;
    if (['commander.helpDisplayed', 'commander.version'].includes(code)) return undefined;
    if (!isWhole && MAY_BE_LEFT_OUT.includes(code)) return undefined;
    if (!isWhole && MAY_BE_NAMED.includes(code) && PLACEHOLDER.test(message)) return undefined;
    return message;
  }
  return found && (wrongRecipe(found.name, found.options) ?? missingFile(words));
}

/** A shipped recipe with the settings that the line puts into it is a configuration. */
function wrongRecipe(name: string, options: Record<string, unknown>): string | undefined {
  const { config, set } = options as { config?: string; set?: string[] };
  if (!['pretrain', 'train'].includes(name) || config === undefined) return undefined;
  const path = repositoryPath(config);
  if (path === undefined) return undefined;
  if (!existsSync(path)) return `${config}: no such recipe`;
  const settings = readSettings(path, set);
  expandPreset(settings, config);
  const parsed = runConfigSchema.safeParse(settings);
  return parsed.success ? undefined : `${config}: ${explainConfigError(runConfigSchema, settings, parsed.error)}`;
}

/** Where a word names a file of this repository, its path. */
function repositoryPath(word: string): string | undefined {
  if (/^recipes\//.test(word)) return join(REPOSITORY, 'packages/looprpt', word);
  return /^(?:packages|lab|setup|docs|examples|findings)\/./.test(word) ? join(REPOSITORY, word) : undefined;
}

function missingFile(words: readonly string[]): string | undefined {
  const missing = words
    .flatMap((word) => word.split('='))
    .find((word) => {
      const path = repositoryPath(word);
      return path !== undefined && !existsSync(path) && !existsSync(dirname(path));
    });
  return missing === undefined ? undefined : `${missing}: no such file in the repository`;
}

const SCRIPTS = (JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts;

function wrongScript([verb, ...rest]: readonly string[]): string | undefined {
  if (verb === 'start' || verb === 'test') return missingFile(rest);
  if (verb !== 'run') return undefined;
  const [name, ...args] = rest;
  const script = SCRIPTS[name!];
  if (script === undefined) return `npm run ${name}: no such script`;
  if (name === 'evidence') {
    const study = args.filter((word) => !word.startsWith('-'))[0];
    const known = [...STUDIES.map((one) => one.name), 'list', 'figures', 'NAME'];
    if (study !== undefined && !known.includes(study)) return `npm run evidence -- ${study}: no such study`;
  }
  const text = optionsText(script);
  const unknown = args.find((word) => /^--\w/.test(word) && !text.includes(word.split('=')[0]!));
  return unknown === undefined ? missingFile(args) : `npm run ${name} has no ${unknown}`;
}

/** The sources beside a script's own, where its options are declared: as `--name`, or as a key for `parseArgs`. */
function optionsText(script: string): string {
  const entry = / ?([\w./-]+)\.m?js$/.exec(script)?.[1];
  if (entry === undefined) return '';
  const source = entry.replace('/dist/', '/src/');
  const text = filesBelow(dirname(source), ['.ts', '.mjs']).map(read).join('\n');
  return (
    text + [...text.matchAll(/\b([\w-]+)'?: \{ type: '(?:string|boolean)'/g)].map(([, key]) => `--${key}`).join('\n')
  );
}
