/**
 * One end: a run is started, killed with SIGKILL at a moment drawn by chance, sometimes resumed and killed again, resumed to its end,
 * and compared with the run that nobody disturbed.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { METRICS_FILE } from 'looprpt/internal/train/metrics/metrics-log.js';
import { differences, leftBehind } from '../../../packages/looprpt/test-support/dist/compare-runs.js';
import { type Setting, STEPS } from './setting.js';
import { TrainingProcess, trainToEnd } from './training-process.js';

/** When to kill: some time after the start, or some time after the writing of a checkpoint from some step on has begun. */
export type Moment = { kind: 'time'; milliseconds: number } | { kind: 'write'; step: number; milliseconds: number };

/** A write of a checkpoint takes some milliseconds; a kill later than this after its beginning is one between writes. */
const WRITE_MS = 12;

/**
 * One moment, one in four times a second one for the resumed run.
 * @param random numbers in [0, 1), one after the other
 * @param duration of an undisturbed run, in milliseconds
 */
export function drawMoments(random: () => number, duration: number): Moment[] {
  return [drawMoment(random, duration), ...(random() < 0.25 ? [drawMoment(random, duration)] : [])];
}

function drawMoment(random: () => number, duration: number): Moment {
  if (random() < 0.5) return { kind: 'time', milliseconds: random() * duration };
  return { kind: 'write', step: Math.floor(random() * STEPS), milliseconds: random() * WRITE_MS };
}

/** Where the run was when it was killed. */
export interface Kill {
  /** In the metrics. */
  steps: number;
  /** A half-written or half-removed checkpoint lay there. */
  inWrite: boolean;
}

export interface EndResult {
  /** None if the run was over before the moment came. */
  kills: Kill[];
  /** Empty if the end is that of the undisturbed run. */
  problems: string[];
}

export async function killAndResume(
  setting: Setting,
  moments: readonly Moment[],
  reference: string,
): Promise<EndResult> {
  const kills: Kill[] = [];
  for (const moment of moments) {
    const training = new TrainingProcess(setting);
    await reach(moment, training, setting.out);
    if (!(await training.kill())) break;
    kills.push({ steps: stepsLogged(setting.out), inWrite: partialSteps(setting.out).length > 0 });
  }
  const failure = await trainToEnd(setting);
  return {
    kills,
    problems: failure === null ? [...differences(reference, setting.out), ...leftBehind(setting.out)] : [failure],
  };
}

async function reach(moment: Moment, training: TrainingProcess, out: string): Promise<void> {
  if (moment.kind === 'write')
    while (training.running && !partialSteps(out).some((step) => step >= moment.step)) await sleep(1);
  await sleep(moment.milliseconds);
}

/** Of the checkpoints that are being written or removed. */
function partialSteps(out: string): number[] {
  const folder = join(out, 'checkpoints');
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => {
    const step = /^\.step-(\d+)\.partial$/.exec(name)?.[1];
    return step === undefined ? [] : [Number(step)];
  });
}

function stepsLogged(out: string): number {
  const file = join(out, METRICS_FILE);
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
}
