/**
 * Steps of several workers, in turns: each repetition is one step of every worker, the order moving on by one each time, and
 * then a look at the rate of matrix products. So a change of the machine's speed hits all alike.
 */
import { freemem } from 'node:os';
import type { CaseFiles } from './arguments.js';
import type { BenchCase, BenchMode } from './cases.js';
import { admit, admitAlone, ourBytes, type Participant, peerBytes } from './memory.js';
import type { Peer } from './peer.js';
import {
  type MatmulReply,
  matmulReplySchema,
  type OperatorsReply,
  operatorsReplySchema,
  type PartTime,
  partsReplySchema,
  type StepReply,
  stepReplySchema,
} from './protocol.js';
import { OUR_PROGRAM, WorkerProcess } from './worker-process.js';

export interface MeasureOptions {
  reps: number;
  warmup: number;
  threads: number;
  /** Ask ours for times by operator, too. */
  operators: boolean;
  /** One process in memory at a time. */
  apart: boolean;
  say: (text: string) => void;
}

/** The steps of one worker in their order. */
export interface Series {
  /** Before anything was trained, and before it is warm. */
  first: StepReply;
  steps: StepReply[];
}

export interface ModeMeasurement {
  mode: BenchMode;
  ours: Series | null;
  peer: Series | null;
  parts: PartTime[];
  operators: OperatorsReply | null;
}

export interface GroupMeasurement {
  modes: ModeMeasurement[];
  matmul: MatmulReply[];
  /** What was left out, and why. */
  skipped: string[];
}

/** Modes that are held against the same mode of the peer are measured together. */
export function groupsOf(modes: readonly BenchMode[]): BenchMode[][] {
  const groups = new Map<string, BenchMode[]>();
  for (const mode of modes) groups.set(mode.peer, [...(groups.get(mode.peer) ?? []), mode]);
  return [...groups.values()];
}

/** A participant with what its processes have answered. */
interface Entrant extends Participant {
  first: StepReply | null;
  steps: StepReply[];
  parts: PartTime[];
  operators: OperatorsReply | null;
}

type Start = (side: Participant['side'], name: string) => WorkerProcess;

/** @param modes one group of the case */
export async function measureGroup(
  { model, shape }: BenchCase,
  modes: readonly BenchMode[],
  files: CaseFiles,
  peer: Peer | null,
  options: MeasureOptions,
): Promise<GroupMeasurement> {
  const wanted: Participant[] = [
    ...modes.map((mode) => ({ side: 'ours' as const, mode: mode.name, bytes: ourBytes(model, shape, mode) })),
    ...(peer ? [{ side: 'peer' as const, mode: modes[0]!.peer, bytes: peerBytes(model, shape, modes[0]!.peer) }] : []),
  ];
  const { admitted, skipped } = options.apart ? admitAlone(wanted, freemem()) : admit(wanted, freemem());
  const start: Start = (side, name) =>
    new WorkerProcess(side === 'ours' ? OUR_PROGRAM : peer!.program, {
      worker: name,
      model,
      shape,
      threads: options.threads,
      files,
    });
  const entrants = admitted.map((one): Entrant => ({ ...one, first: null, steps: [], parts: [], operators: null }));
  const matmulWorker = start('ours', 'matmul');
  const matmul: MatmulReply[] = [];
  const look = async (): Promise<void> => void matmul.push(await matmulWorker.ask('', matmulReplySchema));
  await (options.apart ? oneAfterTheOther : inTurns)(entrants, start, look, options);
  await matmulWorker.close();
  const find = (side: Participant['side'], mode: string): Entrant | null =>
    entrants.find((one) => one.side === side && one.mode === mode) ?? null;
  const measured = modes.map((mode): ModeMeasurement => {
    const [ours, theirs] = [find('ours', mode.name), find('peer', mode.peer)];
    const { parts = [], operators = null } = ours ?? {};
    return { mode, ours: seriesOf(ours), peer: seriesOf(theirs), parts, operators };
  });
  return { modes: measured, matmul, skipped };
}

function seriesOf(entrant: Entrant | null): Series | null {
  return entrant && { first: entrant.first!, steps: entrant.steps };
}

type Look = () => Promise<void>;

/** All processes at once; a step of each, then a look at the products, over and over. */
async function inTurns(entrants: readonly Entrant[], start: Start, look: Look, options: MeasureOptions): Promise<void> {
  const { warmup, reps, say } = options;
  const workers = entrants.map(({ side, mode }) => start(side, mode));
  for (let rep = 0; rep < warmup + reps; rep++) {
    const seconds: string[] = [];
    for (let turn = 0; turn < entrants.length; turn++) {
      const at = (turn + rep) % entrants.length;
      seconds[at] = await step(entrants[at]!, workers[at]!, rep >= warmup);
    }
    await look();
    say(`${rep < warmup ? 'warm-up' : `step ${rep - warmup + 1}`}: ${seconds.join('  ')}`);
  }
  for (const [i, worker] of workers.entries()) {
    await profileOf(entrants[i]!, worker, options);
    await worker.close();
  }
}

/**
 * One process at a time, for what does not fit into memory together: half of the steps of each, then the other half in the
 * opposite order, so that a machine that grows slower or faster does so for both sides.
 */
async function oneAfterTheOther(
  entrants: readonly Entrant[],
  start: Start,
  look: Look,
  options: MeasureOptions,
): Promise<void> {
  const { warmup, reps, say } = options;
  const halves = [Math.ceil(reps / 2), Math.floor(reps / 2)];
  for (const [half, steps] of halves.entries()) {
    if (steps === 0) continue;
    for (const entrant of half === 0 ? entrants : entrants.toReversed()) {
      const worker = start(entrant.side, entrant.mode);
      const seconds: string[] = [];
      for (let rep = 0; rep < warmup + steps; rep++) {
        seconds.push(await step(entrant, worker, rep >= warmup));
        await look();
      }
      if (half === 0) await profileOf(entrant, worker, options);
      await worker.close();
      say(`half ${half + 1}: ${seconds.join('  ')}`);
    }
  }
}

/** @returns what was measured, in words */
async function step(entrant: Entrant, worker: WorkerProcess, counts: boolean): Promise<string> {
  const reply = await worker.ask('', stepReplySchema);
  entrant.first ??= reply;
  if (counts) entrant.steps.push(reply);
  return `${entrant.side} ${entrant.mode} ${reply.seconds.toFixed(3)}`;
}

async function profileOf(entrant: Entrant, worker: WorkerProcess, { operators }: MeasureOptions): Promise<void> {
  if (entrant.side === 'peer') return;
  entrant.parts = (await worker.ask('parts', partsReplySchema)).parts;
  if (operators) entrant.operators = await worker.ask('operators', operatorsReplySchema);
}
