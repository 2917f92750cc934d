import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { launchScript } from '../../../test-support/rank-script.js';
import { runCli, spawnCli } from '../../../test-support/run-cli.js';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { rankEnvironment, restartCount, threadsFor } from './environment.js';

const SHOW = 'console.error(JSON.stringify(process.env))';

/** The environments that ranks printed, by rank. */
function environments(stderr: string): Record<string, string>[] {
  const found: Record<string, string>[] = [];
  for (const [, rank, json] of stderr.matchAll(/^\[rank (\d+)\] (\{.*\})$/gm))
    found[Number(rank)] = JSON.parse(json!) as Record<string, string>;
  return found;
}

/** Waits for something to become true. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(20);
}

describe('the environment of ranks', () => {
  it('says who they are, and where rank 0 listens', async () => {
    const { code, stderr } = await launchScript(SHOW, {
      nproc: 3,
      environment: { PATH: process.env.PATH, KEPT: 'yes' },
    });
    expect(code).toBe(0);
    const ranks = environments(stderr);
    expect(ranks).toHaveLength(3);
    for (const [rank, environment] of ranks.entries())
      expect(environment).toMatchObject({
        RANK: String(rank),
        LOCAL_RANK: String(rank),
        WORLD_SIZE: '3',
        LOCAL_WORLD_SIZE: '3',
        GROUP_RANK: '0',
        MASTER_ADDR: '127.0.0.1',
        MASTER_PORT: ranks[0]!.MASTER_PORT,
        TORCHELASTIC_RESTART_COUNT: '0',
        KEPT: 'yes',
        OMP_NUM_THREADS: String(threadsFor(3)),
      });
    expect(Number(ranks[0]!.MASTER_PORT)).toBeGreaterThan(1023);
  });

  it('counts over machines, leaves threads that were chosen, and overrides an outer launcher', () => {
    const placement = { nodes: 4, nodeRank: 2, ranksPerNode: 8, masterAddress: 'head', masterPort: 1234 };
    const outer = { OMP_NUM_THREADS: '7', RANK: '5', WORLD_SIZE: '6' };
    expect(rankEnvironment(outer, placement, { restart: 1, maxRestarts: 3 }, 5)).toEqual({
      RANK: '21',
      LOCAL_RANK: '5',
      WORLD_SIZE: '32',
      LOCAL_WORLD_SIZE: '8',
      GROUP_RANK: '2',
      MASTER_ADDR: 'head',
      MASTER_PORT: '1234',
      TORCHELASTIC_RESTART_COUNT: '1',
      TORCHELASTIC_MAX_RESTARTS: '3',
      OMP_NUM_THREADS: '7',
    });
  });

  it('divides the cores, and gives each rank one at least', () => {
    expect([threadsFor(2, 8), threadsFor(3, 8), threadsFor(16, 8)]).toEqual([4, 2, 1]);
  });

  it('tells a rank how often it was started', () => {
    const counts = ['3', '0', '-1', 'x', undefined].map((count) => restartCount({ TORCHELASTIC_RESTART_COUNT: count }));
    expect(counts).toEqual([3, 0, 0, 0, 0]);
  });
});

describe('what ranks say', () => {
  it("has rank 0's results on standard output as they are, the rest with its rank in front", async () => {
    const script = 'console.log("out", process.env.RANK); process.stderr.write("a\\nä 漢 without an end")';
    const { code, stdout, stderr } = await launchScript(script);
    expect(code).toBe(0);
    expect(stdout).toBe('out 0\n');
    const lines = [
      '[rank 0] a',
      '[rank 0] ä 漢 without an end',
      '[rank 1] a',
      '[rank 1] out 1',
      '[rank 1] ä 漢 without an end',
    ];
    expect(stderr.split('\n').filter(Boolean).sort()).toEqual(lines.sort());
  });
});

describe('a rank that fails', () => {
  it('stops the others; its exit code and last words are the launcher’s', async () => {
    const ready = JSON.stringify(join(temporaryFolder().path, 'ready'));
    const script = `
      import { existsSync, writeFileSync } from 'node:fs';
      if (process.env.RANK === '1') {
        while (!existsSync(${ready})) await new Promise((resolve) => setTimeout(resolve, 10));
        console.error('the reason');
        process.exitCode = 7;
      } else {
        process.on('SIGTERM', () => { console.error('asked to stop'); process.exit(3); });
        writeFileSync(${ready}, '');
        setInterval(() => {}, 1000);
      }`;
    const { code, stderr } = await launchScript(script);
    expect(code).toBe(7);
    expect(stderr).toContain('[rank 0] asked to stop');
    expect(stderr).toMatch(/launch: rank 1 ended with exit code 7; the last that it said:\nlaunch: {3}the reason\n$/);
  });

  it('by a signal has the exit code that a shell gives', async () => {
    const { code, stderr } = await launchScript(
      `if (process.env.RANK === '0') process.kill(process.pid, 'SIGKILL'); else setInterval(() => {}, 1000)`,
    );
    expect(code).toBe(137);
    expect(stderr).toContain('launch: rank 0 was ended by SIGKILL');
  });

  it('ends others that do not want to, after the grace, with what they started', async () => {
    const folder = temporaryFolder().path;
    const script = `
      import { spawn } from 'node:child_process';
      import { existsSync, writeFileSync } from 'node:fs';
      if (process.env.RANK === '1') {
        process.on('SIGTERM', () => {});
        const inner = spawn(process.execPath, ['-e', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)']);
        writeFileSync(${JSON.stringify(join(folder, 'pids'))}, process.pid + ' ' + inner.pid);
        setInterval(() => {}, 1000);
      } else setInterval(() => { if (existsSync(${JSON.stringify(join(folder, 'pids'))})) process.exit(4); }, 20);`;
    expect((await launchScript(script, { graceSeconds: 0.2 })).code).toBe(4);
    const pids = readFileSync(join(folder, 'pids'), 'utf8').split(' ').map(Number);
    await until(() => pids.every(isGone));
  });

  it('that cannot be started is named', async () => {
    const { code, stderr } = await launchScript('', { command: ['no-such-program-here'] });
    expect(code).toBe(127);
    expect(stderr).toContain('cannot be started: there is no program no-such-program-here');
  });
});

/** Whether a process has ended (or waits to be buried, as an orphan does where nobody does that). */
function isGone(pid: number): boolean {
  return !existsSync(`/proc/${pid}`) || readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[2] === 'Z';
}

describe('restarts', () => {
  const failing = (folder: string, times: number): string => `
    import { writeFileSync } from 'node:fs';
    const { RANK, TORCHELASTIC_RESTART_COUNT: count, MASTER_PORT } = process.env;
    writeFileSync(${JSON.stringify(folder)} + '/' + count + '-' + RANK, MASTER_PORT);
    if (RANK === '1' && Number(count) < ${times}) process.exit(9);`;

  it('start all ranks again, each time at another port, until they end well', async () => {
    const folder = temporaryFolder().path;
    const { code, stderr } = await launchScript(failing(folder, 2), { maxRestarts: 3, masterPort: 4000 });
    expect(code).toBe(0);
    expect(stderr.match(/starting all 2 ranks again \(. of 3\)/g)).toEqual([
      'starting all 2 ranks again (1 of 3)',
      'starting all 2 ranks again (2 of 3)',
    ]);
    const last = readdirSync(folder).filter((name) => name.startsWith('2'));
    expect(last.sort()).toEqual(['2-0', '2-1']);
    for (const name of readdirSync(folder))
      expect(readFileSync(join(folder, name), 'utf8')).toBe(String(4000 + Number(name[0])));
  });

  it('end after as many as were allowed', async () => {
    const folder = temporaryFolder().path;
    expect((await launchScript(failing(folder, 9), { maxRestarts: 1 })).code).toBe(9);
    expect(readdirSync(folder).filter((name) => name.startsWith('1')).length).toBeGreaterThan(0);
    expect(readdirSync(folder).some((name) => name.startsWith('2'))).toBe(false);
  });
});

describe('the command', () => {
  it('hands the user’s signal on, waits for the ranks, and starts nothing again', async () => {
    const folder = temporaryFolder();
    const script = folder.write(
      'rank.mjs',
      `import { writeFileSync } from 'node:fs';
       process.on('SIGINT', () => { writeFileSync('stopped-' + process.env.RANK, ''); process.exit(130); });
       writeFileSync('ready-' + process.env.RANK, ''); setInterval(() => {}, 1000);`,
    );
    const command = ['launch', '--nproc', '2', '--max-restarts', '5', '--', process.execPath, script];
    const { child, ended } = spawnCli(command, folder.path);
    await until(() => existsSync(join(folder.path, 'ready-0')) && existsSync(join(folder.path, 'ready-1')));
    child.kill('SIGINT');
    expect((await ended).code).toBe(130);
    expect(
      readdirSync(folder.path)
        .filter((name) => name.startsWith('stopped'))
        .sort(),
    ).toEqual(['stopped-0', 'stopped-1']);
  });

  it('runs looprpt’s own commands by their name', async () => {
    const { code, stdout } = await spawnCli(['launch', '--nproc', '1', '--', 'eval', '--help'], '/').ended;
    expect(code).toBe(0);
    expect(stdout).toContain('npx looprpt eval');
  });

  it.each([
    [['--nproc', '2'], /missing required argument 'command'/],
    [['--', 'x'], /required option '--nproc <n>' not specified/],
    [['--nproc', '0', '--', 'x'], /It must be a whole number from 1/],
    [
      ['--nproc', '1', '--nnodes', '2', '--node-rank', '2', '--', 'x'],
      /--node-rank 2: with --nnodes 2 the last one is 1/,
    ],
    [['--nproc', '1', '--nnodes', '2', '--', 'x'], /--nnodes needs --master-addr/],
  ])('says what is wrong with %j', async (args, message) => {
    const { code, stderr } = await runCli('launch', ...args);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
  });
});
