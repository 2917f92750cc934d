/**
 * One process to a run folder: `run.lock` names the process that trains there.
 *
 * The file appears by a hard link, which fails where it is there already, on network file systems too. A lock whose process
 * is dead (killed, or the machine started anew) is taken over; whether a process of another machine lives cannot be known, so its
 * lock is refused. A process id that is used again is told apart by the time its process was started, where /proc has it.
 *
 * A dead lock is removed only by who holds `run.lock.takeover`, so that of several at once one wins. Should somebody delete the
 * file by hand and start a second process, the first notices before its next checkpoint (`assertHeld`).
 */
import { randomUUID } from 'node:crypto';
import { existsSync, linkSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { UserError } from '../../base/user-error.js';
import { parseJson } from './folder.js';

export const LOCK_FILE = 'run.lock';

const lockSchema = z.object({
  pid: z.number().int().positive(),
  host: z.string(),
  /** ISO time of the start of training, for people. */
  since: z.string(),
  /** Which boot of the machine, and when in it the process began; null where that is not known. */
  process: z.string().nullable(),
  /** Different for every lock. */
  token: z.string(),
});
type Lock = z.output<typeof lockSchema>;

export interface RunLock extends Disposable {
  /** @throws UserError when another process has the folder now, or the lock was removed */
  assertHeld(): void;
}

/** Locks of this very process: its own id in a lock file that it does not hold is that of a dead one. */
const held = new Set<string>();

/**
 * Takes the lock of a run folder that exists; disposing of it gives it back.
 * @throws UserError when another process trains there
 */
export function lockRun(folder: string): RunLock {
  const path = join(folder, LOCK_FILE);
  const own: Lock = {
    pid: process.pid,
    host: hostname(),
    since: new Date().toISOString(),
    process: processIdentity(process.pid),
    token: randomUUID(),
  };
  const beside = `${path}.${own.token}`;
  writeFileSync(beside, `${JSON.stringify(own)}\n`, { flush: true });
  try {
    while (!linked(beside, path)) takeOverIfDead(path, beside);
  } finally {
    rmSync(beside, { force: true });
  }
  held.add(own.token);
  removeLitter(folder);
  const isOurs = (): boolean => readLock(path)?.token === own.token;
  return {
    assertHeld: () => {
      if (!isOurs())
        throw new UserError(
          `${path}: no longer this process's; another run was started in this folder, so this one ends`,
        );
    },
    [Symbol.dispose]: () => {
      if (held.delete(own.token) && isOurs()) rmSync(path, { force: true });
    },
  };
}

/** Whether somebody trains in a folder, as far as its lock tells: nobody; a process; one that is dead; one of another machine. */
export type LockState = 'free' | 'held' | 'left' | 'elsewhere';

/** For readers of a run folder; whoever wants to train asks `lockRun`. */
export function lockState(folder: string): LockState {
  const lock = readLock(join(folder, LOCK_FILE));
  if (lock === undefined) return 'free';
  if (lock === null) return 'left';
  if (lock.host !== hostname()) return 'elsewhere';
  // Another thread of this process may hold it, and knows its own locks alone.
  return lock.pid === process.pid || isAlive(lock) ? 'held' : 'left';
}

/** What a process that was killed in the middle of this has left, or one that comes too late: it gets to know (ENOENT). */
function removeLitter(folder: string): void {
  for (const name of readdirSync(folder))
    if (name.startsWith(`${LOCK_FILE}.`)) rmSync(join(folder, name), { force: true });
}

/** Returns when the way may be free. @throws UserError when it is not */
function takeOverIfDead(path: string, beside: string): void {
  const there = readLock(path);
  // Just given back.
  if (there === undefined) return;
  if (there === null)
    throw new UserError(`${path}: not a lock of ours; if nothing trains in this folder, delete this file`);
  const who = `process ${there.pid} on ${there.host} since ${there.since}`;
  if (there.host !== hostname())
    throw new UserError(
      `${path}: this run belongs to ${who}, another machine than this (${hostname()}); if that process has ended, delete this file`,
    );
  if (isAlive(there))
    throw new UserError(
      `${path}: this run is being trained by ${who}; wait for it or stop it, or give another folder with out=`,
    );
  const claim = `${path}.takeover`;
  if (!linked(beside, claim))
    throw new UserError(`${claim}: another process is taking over this run; if there is none, delete this file`);
  // Another one may have been through here since the lock was read.
  if (readLock(path)?.token === there.token) rmSync(path);
  rmSync(claim, { force: true });
}

function linked(from: string, to: string): boolean {
  let done = false;
  const there = unless('ENOENT', () => {
    done = unless('EEXIST', () => linkSync(from, to));
  });
  if (!there) throw new UserError(`${to}: another process has just begun to train here`);
  return done;
}

/** Whether `action` succeeded; false where the system answers with this code. */
function unless(code: string, action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === code) return false;
    throw error;
  }
}

/** Undefined: there is none. Null: there is a file, but no lock of ours. */
function readLock(path: string): Lock | null | undefined {
  let text = '';
  if (!unless('ENOENT', () => (text = readFileSync(path, 'utf8')))) return undefined;
  const parsed = lockSchema.safeParse(parseJson(text));
  return parsed.success ? parsed.data : null;
}

function isAlive({ pid, process: identity, token }: Lock): boolean {
  if (pid === process.pid) return held.has(token);
  // Without permission to signal it there is one, of another user.
  if (!unless('ESRCH', () => unless('EPERM', () => process.kill(pid, 0)))) return false;
  const now = processIdentity(pid);
  return identity === null || now === null || identity === now;
}

/** Boot and start time of a process (field 22 of its stat file, behind the name in parentheses); null outside Linux. */
function processIdentity(pid: number): string | null {
  if (!existsSync('/proc/self/stat')) return null;
  let stat = '';
  if (!unless('ENOENT', () => (stat = readFileSync(`/proc/${pid}/stat`, 'utf8')))) return null;
  const behindName = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${behindName[19]}`;
}
