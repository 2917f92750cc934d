/** All of it: undisturbed runs, kills with their ends, disks that refuse. */
import { rmSync } from 'node:fs';
import { Rng } from 'looprpt/internal/base/rng.js';
import { UserError } from 'looprpt/internal/base/user-error.js';
import type { DiskTrial } from './disk-trials.js';
import { drawMoments, type EndResult, killAndResume } from './kill.js';
import { canMount, diskTrials, whyNoDiskTrials } from './namespace.js';
import { prepareRun, VARIANTS } from './setting.js';
import { trainToEnd } from './training-process.js';

export interface TortureOptions {
  /** Runs to kill, each with an end to compare. */
  ends: number;
  seed: number;
  /** Runs at a time. */
  parallel: number;
  /** A folder that exists, for all runs. */
  folder: string;
  onEnd?: ((done: number) => void) | undefined;
}

export interface TortureResult {
  ends: (EndResult & { folder: string })[];
  disks: DiskTrial[];
  /** Why there are no disk trials, if so. */
  noDisks: string | null;
}

export async function torture({ ends, seed, parallel, folder, onEnd }: TortureOptions): Promise<TortureResult> {
  const references: { out: string; milliseconds: number }[] = [];
  for (const variant of VARIANTS) {
    const setting = prepareRun(folder, `undisturbed-${variant.name}`, variant, seed);
    const began = performance.now();
    const failure = await trainToEnd(setting);
    if (failure !== null) throw new UserError(`the undisturbed ${variant.name} run failed: ${failure}`);
    references.push({ out: setting.out, milliseconds: performance.now() - began });
  }
  const done: TortureResult['ends'] = [];
  const rng = Rng.fromSeed(seed);
  let started = 0;
  let running = 0;
  const one = async (): Promise<void> => {
    while (done.length + running < ends) {
      const number = started++;
      running++;
      const index = number % VARIANTS.length;
      const [variant, reference] = [VARIANTS[index]!, references[index]!];
      const chance = rng.fold(number);
      const moments = drawMoments(() => chance.uint32() / 2 ** 32, reference.milliseconds);
      const setting = prepareRun(folder, `killed-${number}`, variant, seed);
      const result = await killAndResume(setting, moments, reference.out);
      running--;
      const wrong = result.problems.length > 0;
      if (!wrong) rmSync(setting.out, { recursive: true });
      // A run that was over before its moment came proves nothing, unless its end is wrong.
      if (wrong || result.kills.length > 0) done.push({ ...result, folder: setting.out });
      onEnd?.(done.length);
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, ends) }, one));
  const noDisks = whyNoDiskTrials();
  if (noDisks !== null) return { ends: done, disks: [], noDisks };
  const [variant] = VARIANTS;
  const disks = await diskTrials({
    full: prepareRun(folder, 'full-disk', variant, seed),
    readOnly: prepareRun(folder, 'read-only', variant, seed),
    reference: references[0]!.out,
    mounts: canMount(),
  });
  return { ends: done, disks, noDisks: null };
}

/** What went wrong, with where it lies. */
export function problemsOf({ ends, disks }: TortureResult): string[] {
  return [
    ...ends.flatMap(({ folder, problems }) => problems.map((problem) => `${folder}: ${problem}`)),
    ...disks.flatMap(({ name, problems }) => problems.map((problem) => `${name}: ${problem}`)),
  ];
}
