/** `looprpt serve` or `looprpt studio` as a process of its own, on a free port: started, asked to go down, and how it ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { PROGRAM } from '../program.js';

export class ServerProcess {
  readonly url: URL;
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;

  private constructor(url: URL, child: ChildProcess, closed: Promise<unknown>) {
    this.url = url;
    this.#child = child;
    this.#closed = closed;
  }

  /**
   * Waits until the model is there.
   * @param args of the command; without a port a free one is taken @param env beside this process's own
   * @throws Error when it ends instead, with what it said
   */
  static async start(
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
    command: 'serve' | 'studio' = 'serve',
  ): Promise<ServerProcess> {
    const child = spawn(process.execPath, [PROGRAM, command, '--port', '0', '--json', '--quiet', ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const closed = once(child, 'close');
    let said = '';
    child.stderr!.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const [line] = (await Promise.race([once(createInterface({ input: child.stdout! }), 'line'), closed])) as unknown[];
    if (typeof line !== 'string') throw new Error(`looprpt ${command} ended at once: ${said}`);
    const { url } = z.object({ url: z.url() }).parse(JSON.parse(line));
    return new ServerProcess(new URL(url), child, closed);
  }

  /** Asks it to go down, or ends it. @returns its exit code; null where a signal ended it */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<number | null> {
    this.#child.kill(signal);
    await this.#closed;
    return this.#child.exitCode;
  }
}
