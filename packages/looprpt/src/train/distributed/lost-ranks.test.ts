/**
 * Ranks that are killed, stopped or cut off in the middle of a run: the others end by themselves, within their time limits, with
 * an error that names who is missing. A rank that hung would fail the test by its time-out.
 */
import { join } from 'node:path';
import { distributedBackends } from '@looprpt/engine';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { noNamespaces, TwoNetworks } from '../../../test-support/network-namespaces.js';
import { STARTS, stepLine } from '../../../test-support/rank-protocol.js';
import { freePort, type RankProcess, sees, startRank, startRanks, workerCommand } from '../../../test-support/ranks.js';
import { ranksBase, ranksConfig } from '../../../test-support/ranks-case.js';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { taskConfig } from '../../data/tasks/index.js';

const possible = distributedBackends().includes('gloo');
const without = possible ? noNamespaces() : 'this libtorch has no Gloo';
let base = '';
beforeAll(async () => {
  if (possible) base = await ranksBase();
});

/** A run that would take hours. */
async function endless(folder: string, port?: number): Promise<readonly [string, ...string[]]> {
  const distributed = { silenceSeconds: 2, timeLimitSeconds: 30 };
  const config = ranksConfig(base, join(folder, 'run'), {
    steps: 1_000_000,
    batch: { rows: 6, sequenceLength: 40, pack: 'whole' },
    data: { task: taskConfig('hop', { compact: true, queries: 4 }) },
    distributed,
  });
  return workerCommand(join(folder, 'jobs.json'), [{ config, port: port ?? (await freePort()) }]);
}

function afterwards(ranks: readonly RankProcess[]): void {
  onTestFinished(() => {
    for (const { child } of ranks) child.kill('SIGKILL');
  });
}

async function threeRanks(): Promise<RankProcess[]> {
  const { path } = temporaryFolder();
  const ranks = startRanks(3, await endless(path));
  afterwards(ranks);
  await sees(ranks[0]!, stepLine(2));
  return ranks;
}

async function othersSay(ranks: readonly RankProcess[], lost: number, what: RegExp): Promise<void> {
  const others = ranks.filter((_, rank) => rank !== lost);
  for (const { code, err } of await Promise.all(others.map(({ ended }) => ended))) {
    expect(err).toMatch(what);
    expect(code).toBe(1);
  }
}

describe.runIf(possible)('the others stop and name', { timeout: 120_000 }, () => {
  it('a rank that was killed', async () => {
    const ranks = await threeRanks();
    ranks[1]!.child.kill('SIGKILL');
    await othersSay(ranks, 1, /^UserError: rank 1 does not answer/m);
  });

  it('a rank that stands still', async () => {
    const ranks = await threeRanks();
    ranks[2]!.child.kill('SIGSTOP');
    await othersSay(ranks, 2, /^UserError: rank 2 does not answer/m);
  });

  it('the rank that holds the store, though nobody can write down any more that it is gone', async () => {
    const ranks = await threeRanks();
    ranks[0]!.child.kill('SIGSTOP');
    await othersSay(ranks, 0, /^UserError: rank 0, which holds the store at [\d.:]+, does not answer/m);
  });

  it('a rank that never came', async () => {
    const { path } = temporaryFolder();
    const port = await freePort();
    const distributed = { timeLimitSeconds: 3 };
    const config = ranksConfig(base, join(path, 'run'), { distributed });
    const command = workerCommand(join(path, 'jobs.json'), [{ config, port }]);
    const ranks = [0, 2].map((rank) => startRank(rank, 4, command));
    afterwards(ranks);
    for (const { code, err } of await Promise.all(ranks.map(({ ended }) => ended))) {
      expect(err).toMatch(/^UserError: ranks 1 and 3 did not come within 3.0 s; 2 of 4 are there/m);
      expect(code).toBe(1);
    }
  });
});

describe.skipIf(without !== null)(`a cable that is pulled${without === null ? '' : ` (skipped: ${without})`}`, () => {
  it('ends both sides, each naming the other', { timeout: 120_000 }, async () => {
    using networks = new TwoNetworks();
    const { path } = temporaryFolder();
    const command = await endless(path, 29_511);
    const ranks = [0, 1].map((rank) =>
      startRank(rank, 2, networks.inside(rank, command), { MASTER_ADDR: networks.address(0) }),
    );
    afterwards(ranks);
    await sees(ranks[0]!, stepLine(2));
    networks.pullCable();
    const [first, second] = await Promise.all(ranks.map(({ ended }) => ended));
    expect(first!.err).toMatch(/^UserError: rank 1 does not answer/m);
    expect(second!.err).toMatch(/^UserError: rank 0, which holds the store at 10\.213\.77\.1:29511, does not answer/m);
    expect([first!.code, second!.code]).toEqual([1, 1]);
  });
});

describe.runIf(possible)('a rank that waits for others', { timeout: 120_000 }, () => {
  const alone = async (size: number, rank: number, port: number): Promise<RankProcess> => {
    const { path } = temporaryFolder();
    const waiting = startRank(rank, size, await endless(path, port));
    afterwards([waiting]);
    return waiting;
  };

  it.each([
    ['holds the store', 0],
    ['cannot reach the store yet', 1],
  ])('and %s obeys the first signal', async (_, rank) => {
    const waiting = await alone(2, rank, await freePort());
    await sees(waiting, STARTS);
    waiting.child.kill('SIGINT');
    expect((await waiting.ended).err).toMatch(/interrupted while waiting for the other ranks/);
  });

  it('names a WORLD_SIZE that differs', async () => {
    const port = await freePort();
    const ranks = await Promise.all([alone(2, 0, port), alone(3, 1, port)]);
    const said = await Promise.all(ranks.map(async ({ ended }) => (await ended).err));
    for (const err of said) expect(err).toMatch(/WORLD_SIZE is [23] on rank [01] and [23] on rank [01]/);
  });
});
