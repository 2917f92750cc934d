/**
 * Whether a run fits into this machine, said before anything is allocated. The plan is an estimate, so only what cannot fit
 * even with no token in the loss is refused; what may not fit gets a remark.
 *
 * Not here: devices other than the CPU, which say themselves when they are full, within seconds.
 */
import { totalmem } from 'node:os';
import { UserError } from '../../base/user-error.js';
import type { LoopLMConfig } from '../../model/config.js';
import type { RunConfig } from '../run-config.js';
import { planRun } from './plan.js';

/** Bytes that this process can have: the machine's memory, or the limit of its container. */
export function machineBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit : totalmem();
}

/**
 * @returns a remark where the run may not fit; null where it does
 * @throws UserError where it cannot
 */
export function memoryRemark(
  config: RunConfig,
  model: LoopLMConfig,
  { ranks = 1, machine = machineBytes() }: { ranks?: number; machine?: number } = {},
): string | null {
  if (config.device !== 'cpu') return null;
  const needs = (lossShare: number): number => planRun({ config, model, ranks, lossShare }).memory.total;
  const { rows, sequenceLength } = config.batch;
  const less =
    'give fewer batch.rows with more batch.accumulate, a shorter batch.sequenceLength, or memory.checkpointLoops';
  const least = needs(0);
  if (least > machine)
    throw new UserError(
      `batch: ${rows} rows × ${sequenceLength} tokens need about ${gigabytes(least)}, and this machine has ${gigabytes(machine)}: ${less}`,
    );
  const most = needs(1);
  if (most <= machine) return null;
  return `this run may need up to ${gigabytes(most)}, and this machine has ${gigabytes(machine)}: ${less}`;
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(bytes < 1e10 ? 1 : 0)} GB`;
