/**
 * Which checkpoints of a run stay: the newest, every M-th, the best by a metric of the training steps.
 *
 * Invariants: only whole checkpoints are removed, and only after a newer whole one is on the disk; a damaged one is never
 * removed and never counts as one of those to keep.
 */
import { readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { damageOf, type FoundCheckpoint, listCheckpoints, parseJson, STATE_FILE } from './folder.js';

const positive = z.number().int().positive();

export const keepBestSchema = z.strictObject({
  metric: z
    .string()
    .regex(/^(loss|gradientNorm|exitEntropy|meanLoops|klTeacher|advantageSpread|noSpreadShare|parts\.\w+)$/, {
      error:
        'one of loss, gradientNorm, exitEntropy, meanLoops, klTeacher, advantageSpread, noSpreadShare, parts.NAME, as in metrics.jsonl',
    })
    .default('loss')
    .describe(
      "a number of metrics.jsonl, such as loss or parts.ce; a checkpoint's is the mean over the last `every` steps, skipped ones left out",
    ),
  goal: z.enum(['min', 'max']).default('min').describe('whether small or large is good'),
  count: positive.default(1).describe('how many of the best are kept'),
});

export const checkpointConfigSchema = z.strictObject({
  every: positive.default(200).describe('steps between checkpoints; one is always written at the end'),
  background: z
    .boolean()
    .default(true)
    .describe('written by a thread of its own, from a copy in memory, while training goes on'),
  keep: positive.default(2).describe('how many of the newest are kept'),
  keepEvery: positive
    .nullable()
    .default(null)
    .describe('every M-th is kept for ever: those at multiples of M × every steps'),
  keepBest: keepBestSchema.nullable().default(null).describe('the best by a metric are kept too'),
});
export type CheckpointConfig = z.output<typeof checkpointConfigSchema>;
export type RetentionPolicy = Omit<CheckpointConfig, 'background'>;

/** The mean of a metric over the steps before a checkpoint. */
export const scoreSchema = z.strictObject({ metric: z.string(), value: z.number() });
export type Score = z.output<typeof scoreSchema>;

export interface Candidate {
  step: number;
  score: Score | null;
}

/** The steps of the whole checkpoints that may go; pure. */
export function expendable(whole: readonly Candidate[], policy: RetentionPolicy): number[] {
  const { every, keep, keepEvery, keepBest } = policy;
  const newestFirst = [...whole].sort((a, b) => b.step - a.step);
  const kept = new Set(newestFirst.slice(0, keep));
  for (const candidate of newestFirst)
    if (keepEvery !== null && candidate.step > 0 && candidate.step % (keepEvery * every) === 0) kept.add(candidate);
  if (keepBest !== null) {
    const sign = keepBest.goal === 'min' ? 1 : -1;
    const scored = newestFirst.filter(({ score }) => score?.metric === keepBest.metric);
    // The sort is stable: of equals the newest is the better one.
    scored.sort((a, b) => sign * (a.score!.value - b.score!.value));
    for (const candidate of scored.slice(0, keepBest.count)) kept.add(candidate);
  }
  return newestFirst.filter((candidate) => !kept.has(candidate)).map(({ step }) => step);
}

/**
 * Removes what the policy does not keep, after a new whole checkpoint is on the disk.
 * @param known paths of checkpoints that this process has written or found whole; what is found whole is added
 */
export async function applyRetention(runFolder: string, policy: RetentionPolicy, known: Set<string>): Promise<void> {
  const found = listCheckpoints(runFolder);
  if (found.length <= policy.keep) return;
  const whole: FoundCheckpoint[] = [];
  for (const checkpoint of found) if (await isWhole(checkpoint.path, known)) whole.push(checkpoint);
  const steps = new Set(
    expendable(
      whole.map(({ path, step }) => ({ step, score: scoreOf(path) })),
      policy,
    ),
  );
  // Looked at once more: it may have been damaged since this process wrote it, and then it is evidence.
  for (const { path } of whole.filter(({ step }) => steps.has(step))) if ((await damageOf(path)) === null) remove(path);
}

async function isWhole(path: string, known: Set<string>): Promise<boolean> {
  if (known.has(path)) return true;
  if ((await damageOf(path)) !== null) return false;
  known.add(path);
  return true;
}

/** In one step, so that no half-removed folder can look like a damaged checkpoint. */
function remove(path: string): void {
  const doomed = join(dirname(path), `.${basename(path)}.partial`);
  rmSync(doomed, { recursive: true, force: true });
  renameSync(path, doomed);
  rmSync(doomed, { recursive: true, force: true });
}

function scoreOf(path: string): Score | null {
  const state = parseJson(readFileSync(join(path, STATE_FILE), 'utf8'));
  const parsed = z.object({ score: scoreSchema.nullable().default(null) }).safeParse(state);
  return parsed.success ? parsed.data.score : null;
}
