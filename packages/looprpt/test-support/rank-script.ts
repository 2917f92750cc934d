/** Programs to be launched in tests: a few lines of JavaScript each, which every rank runs. Never imported by the product. */
import { PassThrough } from 'node:stream';
import type { Cli } from 'looprpt/internal/base/terminal/cli.js';
import { type LaunchOptions, launch } from 'looprpt/internal/train/launch/launch.js';

export interface LaunchResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Launches `node -e script` in two ranks, unless told otherwise. */
export async function launchScript(script: string, options: Partial<LaunchOptions> = {}): Promise<LaunchResult> {
  const texts = { stdout: '', stderr: '' };
  const captured = (name: keyof typeof texts): PassThrough =>
    new PassThrough().on('data', (chunk: Buffer) => {
      texts[name] += chunk.toString();
    });
  const cli: Cli = { stdout: captured('stdout'), stderr: captured('stderr'), args: [], exitCode: 0 };
  const code = await launch(
    {
      command: [process.execPath, '--input-type=module', '-e', script],
      nproc: 2,
      maxRestarts: 0,
      graceSeconds: 5,
      nnodes: 1,
      nodeRank: 0,
      masterAddress: '127.0.0.1',
      masterPort: null,
      environment: process.env,
      quiet: false,
      ...options,
    },
    cli,
  );
  return { code, ...texts };
}
