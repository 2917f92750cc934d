/**
 * The disk trials in a mount namespace of their own, where this user can make one: mounts that end with the process, whatever
 * happens to it.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { DiskTrial } from './disk-trials.js';
import type { Setting } from './setting.js';

/** What the process of the trials is told. */
export interface DiskTask {
  full: Setting;
  readOnly: Setting;
  reference: string;
  mounts: boolean;
}

const PROGRAM = fileURLToPath(new URL('../../dist/torture/disk-process.js', import.meta.url));

export function canMount(): boolean {
  const probe = 'mount -t tmpfs -o size=64k tmpfs /mnt && umount /mnt';
  return process.platform === 'linux' && spawnSync('unshare', ['-m', 'sh', '-c', probe]).status === 0;
}

/** Without mounts, a limit on file sizes needs `prlimit`, and permissions do not bind root. Null: the trials can be made. */
export function whyNoDiskTrials(): string | null {
  if (canMount()) return null;
  if (process.getuid?.() === 0)
    return 'root needs a mount namespace (unshare -m) for the disk trials, as permissions do not bind it';
  return spawnSync('prlimit', ['--version']).status === 0
    ? null
    : 'the disk trials need unshare or prlimit (util-linux)';
}

/** @throws if the trials themselves fail */
export async function diskTrials(task: DiskTask): Promise<DiskTrial[]> {
  const namespace = task.mounts ? ['unshare', '-m'] : [];
  const [program, ...args] = [...namespace, process.execPath, PROGRAM, JSON.stringify(task)];
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  if (code !== 0) throw new Error(`the disk trials ended with ${code}`);
  return JSON.parse(output) as DiskTrial[];
}
