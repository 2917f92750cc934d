/** `looprpt train` in a process of its own, to be killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CONFIG_FILE } from 'looprpt/internal/train/state/folder.js';
import type { Setting } from './setting.js';

const PROGRAM = fileURLToPath(new URL('../../../packages/looprpt/bin/looprpt.js', import.meta.url));

export interface Ended {
  /** Null after a signal. */
  code: number | null;
  /** What it said on standard error. */
  said: string;
}

export class TrainingProcess {
  readonly #child: ChildProcess;
  readonly ended: Promise<Ended>;

  /** Starts the run, or goes on where there is one. */
  constructor({ configFile, out }: Setting, command: readonly string[] = []) {
    const resume = existsSync(join(out, CONFIG_FILE)) ? ['--resume'] : [];
    const [program, ...args] = [
      ...command,
      process.execPath,
      PROGRAM,
      'train',
      '--config',
      configFile,
      '--quiet',
      ...resume,
    ];
    this.#child = spawn(program!, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    this.ended = once(this.#child, 'close').then(([code]) => ({ code: code as number | null, said: said.trim() }));
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** SIGKILL. @returns whether it was still running */
  async kill(): Promise<boolean> {
    const { running } = this;
    this.#child.kill('SIGKILL');
    await this.ended;
    return running;
  }
}

/** Trains to the end, in one go. @returns what went wrong, or null */
export async function trainToEnd(setting: Setting): Promise<string | null> {
  const { code, said } = await new TrainingProcess(setting).ended;
  return code === 0 ? null : `the run ended with ${code}: ${said || 'nothing was said'}`;
}
