import { totalmem } from 'node:os';
import { expect, test } from 'vitest';
import { freeMemory } from './free-memory.js';

const GB = 1e9;
const MACHINE = `MemTotal:       20000000 kB\nMemFree:         1000000 kB\nMemAvailable:   ${(8 * GB) / 1024} kB\n`;
const of = (files: Record<string, string>): number => freeMemory((path) => files[path] ?? null);

test('what Linux calls available, where nothing limits it', () => {
  expect(of({ '/proc/meminfo': MACHINE })).toBe(8 * GB);
  const unlimited = { '/proc/self/cgroup': '4:memory:/\n0::/\n', '/proc/meminfo': MACHINE };
  expect(of({ ...unlimited, '/sys/fs/cgroup/memory.max': 'max\n', '/sys/fs/cgroup/memory.current': '5\n' })).toBe(
    8 * GB,
  );
  const largest = '9223372036854771712\n';
  const [limit, usage] = ['/sys/fs/cgroup/memory/memory.limit_in_bytes', '/sys/fs/cgroup/memory/memory.usage_in_bytes'];
  expect(of({ ...unlimited, [limit]: largest, [usage]: '5\n' })).toBe(8 * GB);
});

test("a container's limit less what it holds, files in memory aside; the tightest of the groups above counts", () => {
  const inner = '/sys/fs/cgroup/pod/box';
  const files = {
    '/proc/meminfo': MACHINE,
    '/proc/self/cgroup': '0::/pod/box\n',
    [`${inner}/memory.max`]: `${6 * GB}\n`,
    [`${inner}/memory.current`]: `${5 * GB}\n`,
    [`${inner}/memory.stat`]: `anon 1000000000\ninactive_file ${3 * GB}\nactive_file ${1 * GB}\nactive_file_more 7\n`,
  };
  expect(of(files)).toBe(5 * GB);
  const outer = '/sys/fs/cgroup/pod';
  const tight = { [`${outer}/memory.max`]: `${4 * GB}`, [`${outer}/memory.current`]: `${3 * GB}` };
  expect(of({ ...files, ...tight })).toBe(1 * GB);
  expect(of({ ...files, ...tight, [`${outer}/memory.current`]: `${5 * GB}` })).toBe(0);
});

test('groups of version 1, also where the path is that of the host', () => {
  const root = '/sys/fs/cgroup/memory';
  const files = {
    '/proc/meminfo': MACHINE,
    '/proc/self/cgroup': '9:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n',
    [`${root}/memory.limit_in_bytes`]: `${3 * GB}`,
    [`${root}/memory.usage_in_bytes`]: `${2 * GB}`,
    [`${root}/memory.stat`]: `total_inactive_file ${GB}\ntotal_active_file 0`,
  };
  expect(of(files)).toBe(2 * GB);
});

test('this machine, and one that says nothing', () => {
  expect(freeMemory()).toBeGreaterThan(0);
  expect(freeMemory()).toBeLessThanOrEqual(totalmem());
  expect(of({})).toBe(totalmem());
});
