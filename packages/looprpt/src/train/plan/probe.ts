/**
 * How long a step takes on this machine: a few steps of the run itself, which are made and thrown away. Nothing is written, and the
 * run that follows is as if there had been none.
 *
 * Not here: what a run needs by arithmetic (plan.ts), and ranks, which would all have to take part.
 */
import { setThreads } from '@looprpt/engine';
import { objectiveOf } from '../../objectives/objective.js';
import type { RunConfig } from '../run-config.js';
import { openRunData, runBatches } from '../run-data.js';
import { modelSource } from '../student.js';
import { Trainer } from '../trainer.js';

export interface ProbeOptions {
  /** Steps that are timed, after one that is not; default 3. */
  steps?: number;
  signal?: AbortSignal | undefined;
}

/** Seconds of a step, medians. */
export interface StepTime {
  /** By the clock: what to expect of many steps, with whatever else the machine does. */
  wall: number;
  /** Of this process on the processor, all threads: to compare steps with each other, whatever else the machine does. */
  cpu: number;
}

/** @returns the median in seconds; null where the data hold no step to make, or the signal came first */
export async function probeStep(config: RunConfig, options: ProbeOptions = {}): Promise<number | null> {
  return (await probeSteps(config, options))?.wall ?? null;
}

/** @returns null where the data hold no step to make, or the signal came first */
export async function probeSteps(
  config: RunConfig,
  { steps = 3, signal }: ProbeOptions = {},
): Promise<StepTime | null> {
  setThreads(config.threads);
  const source = await modelSource(config);
  const student = source.open();
  const loader = openRunData(config, source.tokenizer);
  const { optimizer, teacherDecay, seed } = config;
  const trainer = new Trainer({ student, objective: objectiveOf(config.objective), optimizer, teacherDecay, seed });
  const times: StepTime[] = [];
  try {
    for await (const batches of runBatches(loader, config, student.config.vocabSize)) {
      if (signal?.aborted || times.length > steps) break;
      const began = { wall: performance.now(), cpu: process.cpuUsage() };
      trainer.step(batches, optimizer.learningRate);
      const { user, system } = process.cpuUsage(began.cpu);
      times.push({ wall: (performance.now() - began.wall) / 1000, cpu: (user + system) / 1e6 });
    }
  } finally {
    await loader.close();
    trainer[Symbol.dispose]();
    student.dispose();
  }
  // The first step makes what later ones use again.
  const timed = times.slice(1);
  if (timed.length === 0) return null;
  const median = (of: 'wall' | 'cpu'): number =>
    timed.map((time) => time[of]).sort((a, b) => a - b)[timed.length >> 1]!;
  return { wall: median('wall'), cpu: median('cpu') };
}
