/**
 * The process that runs cases. Started by the supervisor with one JSON argument; says over the channel what it found, and
 * writes the number of the case at hand into a file, which outlives a crash.
 */
import assert from 'node:assert/strict';
import { openSync, writeSync } from 'node:fs';
import { caseOf, smallest } from './case-of.js';
import { runCase } from './run-case.js';
import { Sandbox } from './sandbox.js';
import type { CaseFiles } from './target.js';
import { type FaultyName, faulty } from './targets/faulty.js';
import { type TargetName, targets } from './targets/index.js';

export interface WorkerJob {
  target: TargetName | FaultyName;
  seed: number;
  from: number;
  to: number;
  progressFile: string;
}

export type WorkerMessage =
  | { kind: 'finding'; index: number; fault: string; files: { name: string; base64: string }[] }
  | { kind: 'cases'; refused: number; inputBytes: number }
  | { kind: 'done' };

/** Faults of one kind are shown once. */
const seen = new Set<string>();

async function work({ target: name, seed, from, to, progressFile }: WorkerJob): Promise<void> {
  const progress = openSync(progressFile, 'w');
  const at = Buffer.alloc(8);
  const target = await { ...targets, ...faulty }[name]();
  using sandbox = new Sandbox();
  let [refused, inputBytes] = [0, 0];
  const tell = async (): Promise<void> => {
    await say({ kind: 'cases', refused, inputBytes });
    [refused, inputBytes] = [0, 0];
  };
  for (let index = from; index < to; index++) {
    at.writeDoubleLE(index);
    writeSync(progress, at, 0, 8, 0);
    const files = caseOf(target, seed, index);
    inputBytes += files.reduce((sum, [, bytes]) => sum + bytes.length, 0);
    const verdict = await runCase(target, sandbox, files);
    if (verdict.ok) refused += verdict.refused ? 1 : 0;
    else await report(index, verdict.fault, files);
    // Little is lost when the process dies.
    if (index % 1000 === 999) await tell();
  }
  await tell();
  await say({ kind: 'done' });

  async function report(index: number, fault: string, found: CaseFiles): Promise<void> {
    const kind = kindOf(fault);
    if (seen.has(kind)) return;
    seen.add(kind);
    const again = await runCase(target, sandbox, found);
    // What happens once in a while, such as a peak of memory, cannot be made smaller.
    const files = again.ok
      ? found
      : await smallest(target, seed, index, async (candidate) => {
          const verdict = await runCase(target, sandbox, candidate);
          return !verdict.ok && kindOf(verdict.fault) === kind;
        });
    const encoded = files.map(([file, bytes]) => ({ name: file, base64: Buffer.from(bytes).toString('base64') }));
    await say({ kind: 'finding', index, fault, files: encoded });
  }
}

/** A fault without what differs from case to case: the class of the error and where it was thrown. */
function kindOf(fault: string): string {
  const lines = fault.split('\n');
  const frame = lines.find((line) => line.trim().startsWith('at ')) ?? '';
  const head = (frame === '' ? lines[0]! : lines[0]!.slice(0, 40)).replace(/[\d.]+|"[^"]*"/g, '#').slice(0, 60);
  return `${head} ${frame}`;
}

function say(message: WorkerMessage): Promise<void> {
  assert(process.send, 'the worker has a channel to its supervisor');
  return new Promise((resolve, reject) =>
    process.send!(message, (error: Error | null) => (error ? reject(error) : resolve())),
  );
}

await work(JSON.parse(process.argv[2]!) as WorkerJob);
// What a target still holds open, such as a decoder's ports, is of no use any more.
process.exit(0);
