/**
 * How long training stands still for a checkpoint: steps of one model with no checkpoint, with one written in the background and
 * with one waited for, in turns. What the writer's thread takes from the steps beside it counts as standing still, too.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Generator } from '@looprpt/engine';
import { Rng } from 'looprpt/internal/base/rng.js';
import { BatchRow, emptyBatch, type PackedBatch } from 'looprpt/internal/data/loader/batch.js';
import { parameterCount } from 'looprpt/internal/model/config.js';
import { LoopLM } from 'looprpt/internal/model/loop-lm.js';
import { objectiveOf } from 'looprpt/internal/objectives/objective.js';
import { firstNotFinite } from 'looprpt/internal/train/state/finite.js';
import { type CheckpointTiming, CheckpointWriter } from 'looprpt/internal/train/state/writer.js';
import { Trainer } from 'looprpt/internal/train/trainer.js';
import { type BatchShape, type BenchModel, MODES, modelConfig, runConfig } from './cases.js';
import { median } from './statistics.js';

export const WRITINGS = ['none', 'background', 'waited'] as const;
type Writing = (typeof WRITINGS)[number];

export interface StallOptions {
  model: BenchModel;
  shape: BatchShape;
  /** Of bench:train's modes. */
  mode: string;
  /** Steps of a turn; the checkpoint is asked for before the first. Its writing should end within them. */
  steps: number;
  turns: number;
  /** Where checkpoints are written; its disk is what is measured. */
  folder?: string | undefined;
  onTurn?: ((turn: number, writing: Writing) => void) | undefined;
}

export interface Stall {
  /** Seconds that a turn took beyond its steps without a checkpoint; the median of the turns. */
  seconds: number;
  /** The same in steps. */
  inSteps: number;
  /** As a share of a step's time, with a checkpoint every 50 steps. */
  shareEvery50: number;
}

export interface StallRow {
  model: string;
  parameters: number;
  /** Of one checkpoint. */
  bytes: number;
  stepSeconds: number;
  checkSeconds: number;
  snapshotSeconds: number;
  writeSeconds: number;
  background: Stall;
  waited: Stall;
}

const EVERY = 50;

export async function measureStall(options: StallOptions): Promise<StallRow> {
  const { model, mode, shape, steps, turns } = options;
  const folder = mkdtempSync(join(options.folder ?? tmpdir(), 'looprpt-bench-checkpoint-'));
  const { objective } = MODES.find(({ name }) => name === mode)!;
  const { optimizer, teacherDecay, seed } = runConfig(objective, shape);
  const student = LoopLM.create(modelConfig(model), new Generator(1));
  using trainer = new Trainer({ student, objective: objectiveOf(objective), optimizer, teacherDecay, seed });
  const timings: CheckpointTiming[] = [];
  const writer = new CheckpointWriter({
    runFolder: folder,
    retention: { every: EVERY, keep: 2, keepEvery: null, keepBest: null },
    companions: [],
    syncFirst: [],
    onWritten: (timing) => timings.push(timing),
  });
  const checks: number[] = [];
  let step = 0;
  const checkpoint = async (writing: Writing): Promise<void> => {
    if (writing === 'none') return;
    using tensors = trainer.tensors();
    const began = performance.now();
    firstNotFinite([...student.parameters().map(({ name, tensor }) => [name, tensor] as const), ...tensors]);
    checks.push((performance.now() - began) / 1000);
    await writer.save({ state: { step, ...trainer.state() }, model: student, tensors });
    if (writing === 'waited') await writer.idle();
  };
  const batches = randomBatches(model, shape);
  const seconds = async (writing: Writing, count: number): Promise<number> => {
    const began = performance.now();
    await checkpoint(writing);
    for (let i = 0; i < count; i++) {
      trainer.step([batches[step++ % batches.length]!], optimizer.learningRate);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const taken = (performance.now() - began) / 1000;
    await writer.idle();
    return taken;
  };
  // Starts the thread and fills the memory of the first snapshot: once in a run.
  await seconds('waited', 2);
  timings.length = checks.length = 0;
  const taken: Record<Writing, number[]> = { none: [], background: [], waited: [] };
  for (let turn = 0; turn < turns; turn++)
    for (const writing of WRITINGS) {
      options.onTurn?.(turn, writing);
      taken[writing].push(await seconds(writing, steps));
    }
  await writer[Symbol.asyncDispose]();
  student.dispose();
  rmSync(folder, { recursive: true });
  const stepSeconds = median(taken.none) / steps;
  const stall = (writing: Writing): Stall => {
    const beyond = median(taken[writing].map((whole, turn) => whole - taken.none[turn]!));
    return { seconds: beyond, inSteps: beyond / stepSeconds, shareEvery50: beyond / stepSeconds / EVERY };
  };
  return {
    model: model.name,
    parameters: parameterCount(student.config),
    bytes: timings[0]!.bytes,
    stepSeconds,
    checkSeconds: median(checks),
    snapshotSeconds: median(timings.map(({ snapshotSeconds }) => snapshotSeconds)),
    writeSeconds: median(timings.map(({ writeSeconds }) => writeSeconds)),
    background: stall('background'),
    waited: stall('waited'),
  };
}

function randomBatches({ vocab }: BenchModel, { B, T }: BatchShape): PackedBatch[] {
  const rng = Rng.fromSeed(1);
  return Array.from({ length: 8 }, () => {
    const batch = emptyBatch(B, T);
    for (let b = 0; b < B; b++)
      new BatchRow(batch, b).place(
        { ids: Int32Array.from({ length: T + 1 }, () => rng.below(vocab)), loss: null },
        0,
        T,
        b,
      );
    return batch;
  });
}
