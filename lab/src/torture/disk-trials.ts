/**
 * Disks that refuse: one that is full, and one that becomes read-only, in the middle of a run. The run must end with one line and exit
 * code 1, its checkpoints must be whole, and once the disk is mended it must go on to the end of the undisturbed run.
 *
 * With mounts of its own (`mounts`, see namespace.ts) the disk is a small tmpfs, and read-only is a bind mount; without, a limit on
 * the size of files and permissions stand for them.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { damageOf, listCheckpoints } from 'looprpt/internal/train/state/folder.js';
import { differences, leftBehind } from '../../../packages/looprpt/test-support/dist/compare-runs.js';
import { CHECKPOINT_BYTES, type Setting } from './setting.js';
import { type Ended, TrainingProcess, trainToEnd } from './training-process.js';

export interface DiskTrial {
  name: string;
  /** What stood for the disk. */
  means: string;
  /** What the run said when it was refused. */
  said: string;
  problems: string[];
}

export async function fullDisk(setting: Setting, reference: string, mounts: boolean): Promise<DiskTrial> {
  const { out } = setting;
  if (mounts) {
    mkdirSync(out);
    // Two checkpoints and a part of the third.
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${2.6 * CHECKPOINT_BYTES}`, 'tmpfs', out]);
    const refused = await new TrainingProcess(setting).ended;
    const problems = [...(await refusalProblems(out, refused, /disk is full/)), ...halfWritten(out)];
    execFileSync('mount', ['-o', 'remount,size=64m', out]);
    const end = await endProblems(setting, reference);
    execFileSync('umount', [out]);
    return { name: 'full disk', means: 'a small tmpfs', said: refused.said, problems: [...problems, ...end] };
  }
  await untilCheckpoint(setting);
  const limit = ['prlimit', `--fsize=${Math.floor(CHECKPOINT_BYTES / 8)}`];
  const refused = await new TrainingProcess(setting, limit).ended;
  const problems = [...(await refusalProblems(out, refused, /larger than is allowed/)), ...halfWritten(out)];
  const end = await endProblems(setting, reference);
  return { name: 'full disk', means: 'a limit on file sizes', said: refused.said, problems: [...problems, ...end] };
}

export async function readOnly(setting: Setting, reference: string, mounts: boolean): Promise<DiskTrial> {
  const { out } = setting;
  const folder = join(out, 'checkpoints');
  const training = new TrainingProcess(setting);
  while (training.running && listCheckpoints(out).length === 0) await sleep(1);
  if (mounts) {
    // Made read-only where the run does not write, and only then put in its way: a mount with open files refuses to change.
    const aside = `${out}.read-only`;
    mkdirSync(aside);
    execFileSync('mount', ['--bind', folder, aside]);
    execFileSync('mount', ['-o', 'remount,ro,bind', aside]);
    execFileSync('mount', ['--move', aside, folder]);
    rmdirSync(aside);
  } else chmodSync(folder, 0o555);
  const refused = await training.ended;
  const problems = await refusalProblems(out, refused, mounts ? /read-only/ : /no permission/);
  if (mounts) execFileSync('umount', [folder]);
  else chmodSync(folder, 0o755);
  const end = await endProblems(setting, reference);
  const means = mounts ? 'a read-only mount' : 'permissions';
  return { name: 'read-only folder', means, said: refused.said, problems: [...problems, ...end] };
}

/** A full disk can be cleared of what was begun; one that became read-only in the middle cannot. */
function halfWritten(out: string): string[] {
  const names = readdirSync(join(out, 'checkpoints')).filter((name) => name.endsWith('.partial'));
  return names.map((name) => `the half-written checkpoint ${name} was left behind`);
}

async function untilCheckpoint(setting: Setting): Promise<void> {
  const training = new TrainingProcess(setting);
  while (training.running && listCheckpoints(setting.out).length === 0) await sleep(1);
  assert(await training.kill(), 'the run was over before it could be stopped');
}

async function refusalProblems(out: string, { code, said }: Ended, expected: RegExp): Promise<string[]> {
  const problems: string[] = [];
  if (code !== 1) problems.push(`refused by the disk, the run ended with ${code} instead of 1`);
  if (!/^looprpt: [^\n]+$/.test(said) || !expected.test(said)) problems.push(`instead of one clear line: ${said}`);
  const checkpoints = listCheckpoints(out);
  if (checkpoints.length === 0) problems.push('no checkpoint was left');
  for (const { path } of checkpoints) {
    const damage = await damageOf(path);
    if (damage !== null) problems.push(`${path}: ${damage}`);
  }
  return problems;
}

async function endProblems(setting: Setting, reference: string): Promise<string[]> {
  const failure = await trainToEnd(setting);
  return failure === null ? [...differences(reference, setting.out), ...leftBehind(setting.out)] : [failure];
}
