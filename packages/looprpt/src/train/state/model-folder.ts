/**
 * What `--model` may be: a model folder, the id of one on the Hub, or a run folder, which means its blended model where it has one, else
 * its newest whole checkpoint.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../base/user-error.js';

/** Whether a path is the folder of a training run rather than that of a model. */
export function isRunFolder(path: string): boolean {
  return statSync(join(path, 'checkpoints'), { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/**
 * @param say is told of downloads and damaged checkpoints
 * @throws UserError when there is no such model
 */
export async function modelFolder(reference: string, say: (line: string) => void): Promise<string> {
  if (isRunFolder(reference)) {
    const { blendedModelOf } = await import('../blend.js');
    const blended = blendedModelOf(reference);
    if (blended !== null) return blended;
    const { newestWholeCheckpoint } = await import('./run-state.js');
    const newest = await newestWholeCheckpoint(reference, say);
    if (newest === null) throw new UserError(`${reference}: this run has no checkpoint yet`);
    return newest.path;
  }
  if (existsSync(join(reference, 'metrics.jsonl')))
    throw new UserError(`${reference}: this run has no checkpoint yet; let it run on with --resume`);
  const { resolveModel } = await import('../../checkpoint/hub.js');
  return resolveModel(reference, {
    onFile: ({ name, bytes }) => say(`downloading ${reference}: ${name} (${(bytes / 1e6).toFixed(1)} MB)`),
  });
}

/** The model that a run was trained from, as its configuration names it; null for what is no run, or began from scratch. */
export function startOfRun(reference: string): string | null {
  if (!isRunFolder(reference)) return null;
  const config = JSON.parse(readFileSync(join(reference, 'config.json'), 'utf8')) as { model?: { from?: unknown } };
  const from = config.model?.from;
  return typeof from === 'string' ? from : null;
}
