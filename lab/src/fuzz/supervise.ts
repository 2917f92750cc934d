/**
 * Runs the cases of a target in a child process and sees what a process cannot see of itself: that it died, that it stands
 * still, that its memory grows. After such a case a new child goes on with the next one.
 *
 * Standing still is measured in the child's own processor time, and only for a case that does nothing at all in looks at it: a busy
 * computer, or one that was put to sleep, is no finding.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { FaultyName } from './targets/faulty.js';
import type { TargetName } from './targets/index.js';
import type { WorkerJob, WorkerMessage } from './worker.js';

export interface Finding {
  index: number;
  fault: string;
  /** The smallest files that show it; none where the process died of it. */
  files: { name: string; base64: string }[];
}

export interface Outcome {
  cases: number;
  refused: number;
  inputBytes: number;
  findings: Finding[];
}

export interface FuzzOptions {
  target: TargetName | FaultyName;
  seed: number;
  from: number;
  to: number;
  onProgress?: (done: number) => void;
  /** Seconds of processor time after which a case counts as standing still. */
  patience?: number;
}

const LOOK_MS = 100;
/** Seconds of processor time that one case may take. */
const PATIENCE_SECONDS = 10;
/** A case that waits for something, and takes no processor time, may be looked at so often; so may a child that starts. */
const PATIENCE_LOOKS = 1200;
const MOST_RESIDENT = 1.5 * 2 ** 30;
/** Of a target that dies of every case, enough is known after so many. */
const MOST_DEATHS = 20;

/** The compiled worker, from the sources and from the compiled files alike. */
const WORKER = fileURLToPath(new URL('../../dist/fuzz/worker.js', import.meta.url));

export async function fuzz({
  target,
  seed,
  from,
  to,
  onProgress = () => undefined,
  patience = PATIENCE_SECONDS,
}: FuzzOptions): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'looprpt-fuzz-progress-'));
  const progressFile = join(folder, 'case');
  const outcome: Outcome = { cases: to - from, refused: 0, inputBytes: 0, findings: [] };
  let deaths = 0;
  for (let next = from; next < to && deaths < MOST_DEATHS; ) {
    rmSync(progressFile, { force: true });
    const started = await runUntilDeath({ target, seed, from: next, to, progressFile }, outcome, {
      onProgress,
      patience,
    });
    if (started === null) break;
    outcome.findings.push({ index: started.index, fault: started.fault, files: [] });
    deaths++;
    next = started.index + 1;
  }
  rmSync(folder, { recursive: true });
  return outcome;
}

type Watching = Required<Pick<FuzzOptions, 'onProgress' | 'patience'>>;

/** @returns null when the child came to its end, else the case that it died of */
async function runUntilDeath(
  job: WorkerJob,
  outcome: Outcome,
  watching: Watching,
): Promise<{ index: number; fault: string } | null> {
  const child = fork(WORKER, [JSON.stringify(job)], {
    execArgv: ['--max-old-space-size=512', '--stack-size=900'],
    // What a child that had to be killed has left behind goes with the folder.
    env: {
      ...process.env,
      TMPDIR: dirname(job.progressFile),
      OMP_NUM_THREADS: '1',
      OPENBLAS_NUM_THREADS: '1',
      RAYON_NUM_THREADS: '1',
    },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let errors = '';
  child.stderr!.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-4000);
  });
  let finished = false;
  child.on('message', (message: WorkerMessage) => {
    switch (message.kind) {
      case 'finding':
        outcome.findings.push(message);
        break;
      case 'cases':
        outcome.refused += message.refused;
        outcome.inputBytes += message.inputBytes;
        break;
      case 'done':
        finished = true;
        break;
      default:
        message satisfies never;
    }
  });
  const closed = once(child, 'close') as Promise<[number | null, string | null]>;
  const killedFor = await watch(child, closed, job, watching);
  const [code, signal] = await closed;
  if (finished) return null;
  const fault = killedFor ?? `the process died (${signal ?? `exit code ${code}`})\n${errors}`;
  return { index: caseAt(job) ?? job.from, fault };
}

/** @returns why the child had to be killed, or null where it ended by itself */
async function watch(
  child: ChildProcess,
  closed: Promise<unknown>,
  job: WorkerJob,
  { onProgress, patience }: Watching,
): Promise<string | null> {
  let ended = false;
  void closed.then(() => {
    ended = true;
  });
  let current: number | null = null;
  let [looks, startedAt] = [0, 0];
  while (!ended) {
    await Promise.race([closed, sleep(LOOK_MS)]);
    const index = caseAt(job);
    const seconds = processorSeconds(child.pid!);
    if (index !== current) [current, looks, startedAt] = [index, 0, seconds];
    looks++;
    onProgress(index ?? job.from);
    const resident = residentBytes(child.pid!);
    // Loading libtorch is no case.
    const busy = index !== null && seconds - startedAt > patience;
    const fault =
      resident > MOST_RESIDENT
        ? `memory reached ${Math.round(resident / 2 ** 20)} MB`
        : busy
          ? `no end after ${patience} s of processor time`
          : looks > PATIENCE_LOOKS
            ? `no end, and nothing done, for ${(PATIENCE_LOOKS * LOOK_MS) / 1000} s`
            : null;
    if (fault !== null && !ended) {
      child.kill('SIGKILL');
      return fault;
    }
  }
  return null;
}

/** Null before the first case. */
function caseAt({ progressFile }: WorkerJob): number | null {
  const bytes = existsSync(progressFile) ? readFileSync(progressFile) : Buffer.alloc(0);
  return bytes.length < 8 ? null : bytes.readDoubleLE(0);
}

/** User and system time by Linux's account, in its hundredths of a second; 0 elsewhere and of a process that is gone. */
function processorSeconds(pid: number): number {
  const path = `/proc/${pid}/stat`;
  try {
    // Behind the name, which may hold anything: state, nine numbers, and the two times as the 12th and 13th.
    const fields = readFileSync(path, 'utf8').split(') ').at(-1)!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}

/** By Linux's account; 0 elsewhere and of a process that is gone. */
function residentBytes(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;
  } catch {
    return 0;
  }
}
