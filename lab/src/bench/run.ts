/** The benchmark of training, case by case: workers, measurements, tables on stdout, and the whole as JSON in the last line. */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { engineBuild } from '@looprpt/engine';
import { type Agreement, agreements } from './agreement.js';
import type { BenchCase } from './cases.js';
import { type GroupMeasurement, groupsOf, measureGroup } from './measure.js';
import { findPeer, type Peer, sameVersion } from './peer.js';
import { type Row, rowsOf } from './rows.js';
import { caseTable, profileTables } from './tables.js';
import { OUR_PROGRAM, runToEnd } from './worker-process.js';

export interface BenchOptions {
  cases: readonly BenchCase[];
  reps: number;
  warmup: number;
  threads: number;
  python?: string | undefined;
  profile: boolean;
  /** One process in memory at a time. */
  apart: boolean;
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** @returns whether both sides agree wherever they can be compared */
export async function benchTrain(options: BenchOptions): Promise<boolean> {
  const { cases, reps, warmup, threads, python, apart: oneByOne } = options;
  const libtorch = engineBuild().libtorch.version;
  const peer = findPeer(libtorch, python === undefined ? undefined : [python]);
  print(introduction(libtorch, peer, options));
  const rows: Row[] = [];
  const agreed: Agreement[] = [];
  const skipped: string[] = [];
  for (const of of cases) {
    const label = `${of.model.name}, ${of.shape.B} x ${of.shape.T}`;
    const groups = await measureCase(of, label, peer, options);
    const ofCase = groups.flatMap((group) => rowsOf(of, group));
    rows.push(...ofCase);
    agreed.push(...groups.flatMap(({ modes }) => modes.flatMap(agreements)));
    skipped.push(...groups.flatMap((group) => group.skipped.map((line) => `${label}: ${line}`)));
    print(`\n${caseTable(ofCase)}`);
    if (options.profile) for (const row of ofCase) print(`\n${profileTables(row)}`);
  }
  for (const line of skipped) print(`\nleft out: ${line}`);
  const apart = agreed.filter(({ agree }) => !agree);
  for (const { mode, what, ours, peer } of apart)
    print(`\nNOT THE SAME COMPUTATION: ${mode}: ${what} of the first step is ${ours} here and ${peer} for the peer`);
  const machine = { cpu: cpus()[0]?.model ?? null, cores: availableParallelism() };
  const software = { libtorch, pytorch: peer?.version ?? null, node: process.versions.node };
  const settings = { threads, reps, warmup, apart: oneByOne };
  print(`\n${JSON.stringify({ bench: 'train', machine, software, settings, rows, agreements: agreed, skipped })}`);
  return apart.length === 0;
}

async function measureCase(
  of: BenchCase,
  label: string,
  peer: Peer | null,
  { threads, reps, warmup, profile, apart }: BenchOptions,
): Promise<GroupMeasurement[]> {
  const { model, shape, modes } = of;
  const folder = mkdtempSync(join(tmpdir(), 'looprpt-bench-'));
  try {
    const files = { model: join(folder, 'model'), tokens: join(folder, 'tokens.i32') };
    await runToEnd(OUR_PROGRAM, { worker: 'prepare', model, shape, threads, files });
    const groups: GroupMeasurement[] = [];
    for (const group of groupsOf(modes)) {
      const tell = (text: string): void => say(`${label}: ${text}`);
      groups.push(
        await measureGroup(of, group, files, peer, { reps, warmup, threads, apart, operators: profile, say: tell }),
      );
    }
    return groups;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function introduction(libtorch: string, peer: Peer | null, { threads, reps }: BenchOptions): string {
  const ours = `libtorch ${libtorch}, ${threads} threads, medians of ${reps} steps taken in turns`;
  if (!peer) return `${ours}. No Python with PyTorch and numpy was found: ours alone is measured.`;
  const version = sameVersion(peer.version, libtorch) ? peer.version : `${peer.version}, ANOTHER VERSION THAN OURS`;
  return `${ours}. Peer: ${peer.program.join(' ')}, PyTorch ${version}.`;
}
