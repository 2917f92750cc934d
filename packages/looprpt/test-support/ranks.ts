/** Starts the ranks of a test's or a benchmark's runs as processes, one thread each, that find each other on this machine. */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

export interface RankProcess {
  child: ChildProcess;
  /** What it has written so far. */
  output: () => { out: string; err: string };
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; out: string; err: string }>;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.on('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** @param command program and arguments of each rank */
export function startRanks(
  size: number,
  command: readonly [string, ...string[]],
  env: NodeJS.ProcessEnv = {},
): RankProcess[] {
  return Array.from({ length: size }, (_, rank) => startRank(rank, size, command, env));
}

export function startRank(
  rank: number,
  size: number,
  [program, ...args]: readonly [string, ...string[]],
  env: NodeJS.ProcessEnv = {},
  stdin: 'ignore' | 'pipe' = 'ignore',
): RankProcess {
  const ofRank = { RANK: String(rank), LOCAL_RANK: String(rank), WORLD_SIZE: String(size), MASTER_ADDR: '127.0.0.1' };
  const quiet = { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1', OMP_WAIT_POLICY: 'passive' };
  const child = spawn(program, args, {
    env: { ...process.env, ...quiet, ...ofRank, ...env },
    stdio: [stdin, 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout!.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr!.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const ended = new Promise<Awaited<RankProcess['ended']>>((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal, out, err })),
  );
  return { child, output: () => ({ out, err }), ended };
}

/** Compiled: a process of its own cannot run the source. */
const WORKER = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './dist/rank-worker.js' : './rank-worker.js', import.meta.url),
);

/** The command that does `jobs` (testing/rank-worker.ts), for every rank the same. */
export function workerCommand(jobsFile: string, jobs: unknown): readonly [string, ...string[]] {
  writeFileSync(jobsFile, JSON.stringify(jobs));
  return [process.execPath, WORKER, jobsFile];
}

/** Waits until a process has written `text`. @throws with all it wrote if it ends before */
export async function sees({ output, ended }: RankProcess, text: string): Promise<void> {
  let over = false;
  void ended.then(() => {
    over = true;
  });
  while (!output().out.includes(text)) {
    if (over) throw new Error(`the process ended before it wrote '${text}': ${JSON.stringify(output())}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
