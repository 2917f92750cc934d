/**
 * Steps of several workers, in turns: each repetition is one step of every worker, the order moving on by one each time, and
 * then a look at the rate of matrix products. So a change of the machine's speed hits all alike.
 */
import { freemem } from 'node:os';
import type { CaseFiles } from './arguments.js';
import type { BenchCase, BenchMode } from './cases.js';
import { admit, ourBytes, type Participant, peerBytes } from './memory.js';
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
  const { admitted, skipped } = admit(wanted, freemem());
  const worker = (side: Participant['side'], name: string): WorkerProcess =>
    new WorkerProcess(side === 'ours' ? OUR_PROGRAM : peer!.program, {
      ...{ worker: name, model, shape, threads: options.threads, files },
    });
  const matmulWorker = worker('ours', 'matmul');
  const participants = admitted.map(({ side, mode }) => ({ side, mode, worker: worker(side, mode) }));
  const matmul: MatmulReply[] = [];
  const replies = participants.map((): StepReply[] => []);
  for (let rep = 0; rep < options.warmup + options.reps; rep++) {
    for (let turn = 0; turn < participants.length; turn++) {
      const at = (turn + rep) % participants.length;
      replies[at]!.push(await participants[at]!.worker.ask('', stepReplySchema));
    }
    matmul.push(await matmulWorker.ask('', matmulReplySchema));
    const seconds = participants.map(
      ({ side, mode }, i) => `${side} ${mode} ${replies[i]!.at(-1)!.seconds.toFixed(3)}`,
    );
    options.say(`${rep < options.warmup ? 'warm-up' : `step ${rep - options.warmup + 1}`}: ${seconds.join('  ')}`);
  }
  const seriesOf = (side: Participant['side'], mode: string): Series | null => {
    const all = replies[participants.findIndex((one) => one.side === side && one.mode === mode)];
    return all ? { first: all[0]!, steps: all.slice(options.warmup) } : null;
  };
  const measured: ModeMeasurement[] = [];
  for (const mode of modes) {
    const own = participants.find(({ side, mode: name }) => side === 'ours' && name === mode.name)?.worker;
    measured.push({
      mode,
      ours: seriesOf('ours', mode.name),
      peer: seriesOf('peer', mode.peer),
      parts: own ? (await own.ask('parts', partsReplySchema)).parts : [],
      operators: own && options.operators ? await own.ask('operators', operatorsReplySchema) : null,
    });
  }
  for (const { worker } of [{ worker: matmulWorker }, ...participants]) await worker.close();
  return { modes: measured, matmul, skipped };
}
