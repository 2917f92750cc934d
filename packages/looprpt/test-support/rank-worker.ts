/**
 * One rank of a test's runs, as a process of its own: `node rank-worker.js JOBS`, where JOBS is a JSON file with a list of jobs, done
 * one after the other. The ranks are told apart by the environment, as in real life; each job has a port of its own.
 */
import { readFileSync } from 'node:fs';
import { run } from 'looprpt/internal/train/run.js';
import { type RunConfigInput, runConfigSchema } from 'looprpt/internal/train/run-config.js';
import { STARTS, stepLine } from './rank-protocol.js';

export interface RankJob {
  config: RunConfigInput;
  port: number;
  resume?: boolean;
  /** Interrupt rank 0 after this step. */
  stopAfter?: number;
}

const jobs = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as RankJob[];
for (const { config, port, resume = false, stopAfter } of jobs) {
  process.env.MASTER_PORT = String(port);
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  process.stdout.write(`${STARTS}\n`);
  try {
    await run(runConfigSchema.parse(config), resume, {
      signal: stop.signal,
      onStep: ({ step }) => {
        process.stdout.write(`${stepLine(step)}\n`);
        if (step === stopAfter) stop.abort();
      },
    });
  } catch (error) {
    process.stderr.write(`${(error as Error).name}: ${(error as Error).message}\n`);
    process.exit(1);
  }
}
