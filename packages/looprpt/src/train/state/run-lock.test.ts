/** Who may train in a folder: one process, and after its death the next. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { LOCK_FILE, lockRun } from './run-lock.js';

const COMPILED = new URL('../../../dist/train/state/run-lock.js', import.meta.url).href;

/** A process that runs this code with the compiled `lockRun`. */
function child(code: string) {
  return spawn(process.execPath, ['--input-type=module', '-e', `import { lockRun } from '${COMPILED}';${code}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** A process that holds the folder's lock until it is killed. */
async function holder(folder: string) {
  const process = child(`lockRun(${JSON.stringify(folder)}); console.log('locked'); setInterval(() => {}, 1000);`);
  await once(process.stdout, 'data');
  return process;
}

const rewrite = (folder: string, changes: object): void => {
  const path = join(folder, LOCK_FILE);
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...changes }));
};

describe('the lock of a run folder', () => {
  it('is held once, and given back', () => {
    const { path } = temporaryFolder();
    const first = lockRun(path);
    expect(() => lockRun(path)).toThrow(`being trained by process ${process.pid} on ${hostname()} since 2`);
    first.assertHeld();
    first[Symbol.dispose]();
    expect(readdirSync(path)).toEqual([]);
    using second = lockRun(path);
    second.assertHeld();
    expect(() => first.assertHeld()).toThrow("no longer this process's");
    // The first one's end does not free the second one's lock.
    first[Symbol.dispose]();
    expect(existsSync(join(path, LOCK_FILE))).toBe(true);
  });

  it('of a living process is refused with its id, of a killed one taken over', async () => {
    const { path } = temporaryFolder();
    const other = await holder(path);
    expect(() => lockRun(path)).toThrow(`process ${other.pid} on ${hostname()}`);
    other.kill('SIGKILL');
    await once(other, 'exit');
    using lock = lockRun(path);
    lock.assertHeld();
    expect(readdirSync(path)).toEqual([LOCK_FILE]);
  });

  it('clears away what a process that was killed while it took a lock has left', () => {
    const { path, write } = temporaryFolder();
    write(`${LOCK_FILE}.0f8fad5b`, '{}');
    using lock = lockRun(path);
    lock.assertHeld();
    expect(readdirSync(path)).toEqual([LOCK_FILE]);
  });

  it('of another machine is refused, with how to mend it', async () => {
    const { path } = temporaryFolder();
    lockRun(path);
    rewrite(path, { host: 'node-7' });
    expect(() => lockRun(path)).toThrow(
      new RegExp(`run.lock: this run belongs to process ${process.pid} on node-7 since .* delete this file`),
    );
  });

  it.runIf(existsSync('/proc/self/stat'))(
    'of a process whose id belongs to a later one by now is taken over',
    async () => {
      const { path } = temporaryFolder();
      const other = await holder(path);
      rewrite(path, { process: 'an earlier boot 123' });
      using lock = lockRun(path);
      lock.assertHeld();
      other.kill('SIGKILL');
    },
  );

  it('with our own id from before a restart of the machine or container is taken over', () => {
    const { path } = temporaryFolder();
    lockRun(path);
    rewrite(path, { token: 'of the process that had this id before' });
    using lock = lockRun(path);
    lock.assertHeld();
  });

  it('that is something else is left alone', () => {
    const { path, write } = temporaryFolder();
    write(LOCK_FILE, 'mine');
    expect(() => lockRun(path)).toThrow('not a lock of ours');
    expect(readFileSync(join(path, LOCK_FILE), 'utf8')).toBe('mine');
  });

  it('of a dead process goes to one of many that want it at once', async () => {
    const { path } = temporaryFolder();
    const folders = Array.from({ length: 40 }, (_, i) => join(path, String(i)));
    for (const folder of folders) {
      mkdirSync(folder);
      lockRun(folder);
      rewrite(folder, { token: 'x', pid: 2 ** 30 });
    }
    const code = `
      import { writeFileSync } from 'node:fs';
      while (Date.now() % 1000 > 20) {}
      for (const folder of ${JSON.stringify(folders)}) {
        try { const lock = lockRun(folder); lock.assertHeld(); writeFileSync(folder + '/won-' + process.pid, ''); }
        catch (error) { if (error.name !== 'UserError') throw error; }
      }
      process.kill(process.pid, 'SIGSTOP');`;
    // Stopped, not ended, when they are through: a winner's lock stays that of a living process.
    const children = Array.from({ length: 4 }, () => child(code));
    const through = (pid: number): boolean => /\) T /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    if (existsSync('/proc/self/stat')) {
      while (!children.every(({ pid }) => through(pid!))) await new Promise((resolve) => setTimeout(resolve, 20));
      const winners = folders.map((folder) => readdirSync(folder).filter((name) => name.startsWith('won-')).length);
      expect(winners).toEqual(folders.map(() => 1));
    }
    for (const process of children) process.kill('SIGKILL');
  });
});
