/**
 * The memory that this process can still take: what Linux calls available, or what its container leaves, whichever is less. Pages of
 * files that lie in memory count as free, since they go when memory is wanted. An estimate: others take memory too.
 *
 * Containers are control groups, version 1 or 2; a group's limit holds for those below it, so every group above is looked at.
 */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { posix } from 'node:path';

/** The text of a file, or null where there is none. */
type Read = (path: string) => string | null;

const GROUPS = '/sys/fs/cgroup';

/** Bytes; elsewhere than on Linux the whole machine's, because nobody says what is free. */
export function freeMemory(read: Read = readIfThere): number {
  const free = [kilobytes(read('/proc/meminfo'), 'MemAvailable'), ...groupsOf(read)];
  const known = free.filter((bytes) => bytes !== null);
  return known.length === 0 ? totalmem() : Math.max(0, Math.min(...known));
}

/** What each limited group that this process is in has left. */
function groupsOf(read: Read): (number | null)[] {
  const lines = (read('/proc/self/cgroup') ?? '').split('\n').map((line) => line.split(':'));
  return lines.flatMap(([number, controllers = '', path = '/']) => {
    if (number === '0' && controllers === '') return upwards(path, (group) => unified(read, `${GROUPS}${group}`));
    if (!controllers.split(',').includes('memory')) return [];
    return upwards(path, (group) => legacy(read, `${GROUPS}/memory${group}`));
  });
}

/** Of a group and of all above it; in a container the path may be that of the host, and only the root is there. */
function upwards(path: string, left: (group: string) => number | null): (number | null)[] {
  const parent = posix.dirname(path);
  return [left(path === '/' ? '' : path), ...(parent === path ? [] : upwards(parent, left))];
}

function unified(read: Read, group: string): number | null {
  return leftOf(read(`${group}/memory.max`), read(`${group}/memory.current`), read(`${group}/memory.stat`), [
    'inactive_file',
    'active_file',
  ]);
}

function legacy(read: Read, group: string): number | null {
  const [limit, usage] = [read(`${group}/memory.limit_in_bytes`), read(`${group}/memory.usage_in_bytes`)];
  return leftOf(limit, usage, read(`${group}/memory.stat`), ['total_inactive_file', 'total_active_file']);
}

function leftOf(limit: string | null, usage: string | null, stat: string | null, files: string[]): number | null {
  const [most, used] = [Number(limit ?? Number.NaN), Number(usage ?? Number.NaN)];
  // `max`, or a number beyond any machine's: no limit.
  if (!(most < 2 ** 62) || Number.isNaN(used)) return null;
  const inFiles = files.reduce((sum, name) => sum + Number(field(stat, name) ?? 0), 0);
  return most - Math.max(0, used - inFiles);
}

function kilobytes(text: string | null, name: string): number | null {
  const value = field(text, `${name}:`);
  return value === null ? null : 1024 * Number(value);
}

/** The number behind a name at the start of a line. */
function field(text: string | null, name: string): string | null {
  const line = text?.split('\n').find((one) => one.startsWith(`${name} `));
  return line === undefined ? null : (/\d+/.exec(line.slice(name.length))?.[0] ?? null);
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
