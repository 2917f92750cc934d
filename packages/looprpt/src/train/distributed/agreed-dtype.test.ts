/** Ranks that would decide differently on `dtype: auto` go on with rank 0's; one that is told otherwise is refused by name. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { distributedBackends } from '@looprpt/engine';
import { describe, expect, it } from 'vitest';
import { PROGRAM } from '../../../test-support/program.js';
import { spawnCli, TINY_RUN, tinyProject } from '../../../test-support/run-cli.js';
import { configJson, tinyConfig } from '../../../test-support/slow/tiny-model.js';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import type { ModelDType } from '../../base/dtypes.js';
import { parseOuroConfig } from '../../model/config.js';
import type { Peers } from '../../objectives/peers.js';
import { type AgreedDType, agreedDType } from './agreed-dtype.js';

const model = parseOuroConfig(configJson(tinyConfig({})), 'tiny');
const question = { model, device: 'cpu', threads: 1 };

interface Rank {
  own: ModelDType | null;
  /** What its measurement would say. */
  measured?: ModelDType;
  obstacle?: string;
}

/** What each rank ends with: first all speak, then all hear. */
function agreed(ranks: readonly Rank[]): AgreedDType[] {
  let measurements = 0;
  const ask = (rank: number, exchange: <T>(value: T) => T[]): AgreedDType => {
    const { own, measured = 'float32', obstacle = null } = ranks[rank]!;
    const peers: Peers = { rank, size: ranks.length, sums: (numbers) => [...numbers], any: (flag) => flag, exchange };
    return agreedDType(peers, own, question, {
      choose: () => {
        measurements++;
        return { dtype: measured, why: 'measured', measured: true };
      },
      obstacle: () => obstacle,
    });
  };
  const said: unknown[] = ranks.map((_, rank) => {
    let own: unknown;
    ask(rank, (value) => {
      own = value;
      return ranks.map(() => value);
    });
    return own;
  });
  expect(measurements).toBe(ranks[0]!.own === null ? 1 : 0);
  return ranks.map((_, rank) => ask(rank, <T>() => said as T[]));
}

const dtypes = (ranks: readonly Rank[]): ModelDType[] => agreed(ranks).map(({ dtype }) => dtype);

describe('the dtype of all ranks', () => {
  it.each(['bfloat16', 'float32'] as const)("is rank 0's measured %s, whatever the others would say", (measured) => {
    const other = measured === 'float32' ? 'bfloat16' : 'float32';
    expect(dtypes([{ own: null, measured }, { own: null, measured: other }, { own: null }])).toEqual([
      measured,
      measured,
      measured,
    ]);
  });

  it('is what the recipe of rank 0 says', () => {
    expect(dtypes([{ own: 'float64' }, { own: null, measured: 'bfloat16' }])).toEqual(['float64', 'float64']);
  });

  it('is float32 where one of them has no products in bfloat16, who is named', () => {
    const [first, second] = agreed([
      { own: null, measured: 'bfloat16' },
      { own: null, obstacle: 'the processor is old' },
    ]);
    expect(second).toEqual(first);
    expect(first).toEqual({ dtype: 'float32', why: 'on rank 1, the processor is old' });
  });

  it('stays what the own recipe says, to be refused where it differs', () => {
    expect(dtypes([{ own: null, measured: 'bfloat16' }, { own: 'float32' }])).toEqual(['bfloat16', 'float32']);
  });
});

/** `looprpt pretrain` on two ranks, of which each has settings of its own. */
async function twoRanks(settings: readonly [string[], string[]]) {
  const folder = temporaryFolder().path;
  await tinyProject(folder);
  writeFileSync(join(folder, 'run.json'), JSON.stringify({ ...TINY_RUN, steps: 2 }));
  const script = `
    const own = ${JSON.stringify(settings)}[process.env.RANK];
    process.argv = [process.argv[0], 'looprpt', 'pretrain', '--config', 'run.json', '--out', 'run', ...own];
    await import(${JSON.stringify(PROGRAM)});`;
  writeFileSync(join(folder, 'rank.mjs'), script);
  const ended = await spawnCli(['launch', '--nproc', '2', '--', process.execPath, 'rank.mjs'], folder).ended;
  const stored = (): string => readFileSync(join(folder, 'run/config.json'), 'utf8');
  return { ...ended, stored };
}

describe.skipIf(!distributedBackends().includes('gloo'))('two processes', () => {
  it('whose own choice would be float32 train in the bfloat16 of rank 0', async () => {
    const { code, stderr, stored } = await twoRanks([['--dtype', 'bfloat16'], []]);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stored())).toMatchObject({ dtype: 'bfloat16' });
  });

  it('decide once, which rank 0 says', async () => {
    const { code, stderr, stored } = await twoRanks([[], []]);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stored())).toMatchObject({ dtype: 'float32' });
    expect(stderr.match(/dtype float32: hidden size \d+ is below 192, on rank 0, for all 2/g)).toHaveLength(1);
  });

  it('of which one is told otherwise are refused by name', async () => {
    const { code, stderr } = await twoRanks([[], ['--dtype', 'bfloat16']]);
    expect(code).toBe(1);
    expect(stderr).toContain('rank 1 is not started like rank 0: dtype is "bfloat16" there and "float32" on rank 0');
  });
});
