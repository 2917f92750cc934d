/**
 * What a command is given of the process around it, so that it can run inside a test as it runs from a shell.
 *
 * Invariant: results go to `stdout`, words for people to `stderr`. With `--json`, stdout carries JSON and nothing else.
 */

import { jsonPieces } from './json-pieces.js';
import type { TerminalStream } from './output.js';

export interface Cli {
  readonly stdout: TerminalStream;
  readonly stderr: TerminalStream;
  /** What stood behind the program's name. */
  readonly args: readonly string[];
  /** What the process will end with; commands that end well leave it at 0. Of ours 1, 2 and 130; `launch` ends with that of a rank. */
  exitCode: number;
}

/** A result as one line of JSON. Numbers that are not finite become null. */
export function printJson(cli: Cli, value: unknown): void {
  for (const piece of jsonPieces(value)) cli.stdout.write(piece);
  cli.stdout.write('\n');
}

export function printLine(cli: Cli, line: string): void {
  cli.stdout.write(`${line}\n`);
}

/** Rows of a name and a value, aligned. */
export function printFacts(cli: Cli, facts: readonly (readonly [name: string, value: string | number])[]): void {
  printLine(cli, factLines(facts));
}

export function factLines(facts: readonly (readonly [name: string, value: string | number])[]): string {
  const width = Math.max(...facts.map(([name]) => name.length));
  return facts.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}

/** A function that prints a line for people, unless they asked for quiet. */
export function sayer(cli: Cli, { quiet = false }: { quiet?: boolean | undefined }): (line: string) => void {
  return (line) => {
    if (!quiet) cli.stderr.write(`${line}\n`);
  };
}

/** The command line as one would type it again. */
export function commandLine({ args }: Cli): string {
  const quoted = args.map((arg) => (/^[\w./:=@,+-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`));
  return ['looprpt', ...quoted].join(' ');
}
