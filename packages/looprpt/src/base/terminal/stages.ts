/**
 * Numbered headings for a job of several stages, `2/5 LoopRPT`, and how long each took. On standard error.
 */
import pc from 'picocolors';
import { formatDuration } from './duration.js';
import type { TerminalOptions } from './output.js';

export interface Stages {
  /**
   * Runs the next stage under its heading and says how long it took. An error passes through, without that line.
   *
   * @param work is given a function that sets the words behind the duration
   */
  run<T>(title: string, work: (say: (outcome: string) => void) => T | Promise<T>): Promise<T>;
}

/** @param total the number of stages that will run */
export function stages(total: number, options: TerminalOptions = {}): Stages {
  const stream = options.stream ?? process.stderr;
  const now = options.now ?? Date.now;
  const colors = pc.createColors(Boolean(stream.isTTY) && pc.isColorSupported);
  const print = (line: string): void => {
    if (!options.quiet) stream.write(`${line}\n`);
  };
  let number = 0;
  return {
    async run(title, work) {
      number++;
      print(`${colors.dim(`${number}/${total}`)} ${colors.bold(title)}`);
      const started = now();
      let outcome = '';
      const result = await work((words) => {
        outcome = words;
      });
      print(colors.dim(`    done in ${formatDuration((now() - started) / 1000)}${outcome && `: ${outcome}`}`));
      return result;
    },
  };
}
