/** Collectives of 1, 2 and 4 processes against plain arithmetic on what each put in. */
import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { inputOf } from '../../test-support/group-worker.js';
import { tensor } from '../create.js';
import { scope } from '../memory.js';
import { PeerError } from './collective.js';
import { distributedBackends, ProcessGroup } from './group.js';

const WORKER = fileURLToPath(new URL('../../test-support/dist/group-worker.js', import.meta.url));
const possible = distributedBackends().includes('gloo');

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.on('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function resultsOf(size: number): Promise<Record<string, unknown>[]> {
  const port = await freePort();
  const env = { ...process.env, OMP_NUM_THREADS: '1' };
  const run = (rank: number) => promisify(execFile)(process.execPath, [WORKER, rank, size, port].map(String), { env });
  const outputs = await Promise.all(Array.from({ length: size }, (_, rank) => run(rank)));
  return outputs.map(({ stdout }) => JSON.parse(stdout) as Record<string, unknown>);
}

describe.runIf(possible)('collectives (skipped where libtorch has no Gloo)', () => {
  test.each([1, 2, 4])('of %i ranks', { timeout: 120_000 }, async (size) => {
    const ranks = Array.from({ length: size }, (_, rank) => rank);
    const inputs = (n: number): number[][] => ranks.map((rank) => inputOf(rank, n));
    const reduced = (n: number, f: (values: number[]) => number): number[] =>
      Array.from({ length: n }, (_, i) => f(inputs(n).map((input) => input[i]!)));
    const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);
    const shaped = (values: readonly unknown[]): unknown => [values.slice(0, 3), values.slice(3)];
    const asBool = (input: number[]): number[] => input.map((value) => Number(value !== 0));
    const last = inputOf(size - 1, 6);
    const results = await resultsOf(size);
    results.forEach((result, rank) => {
      expect(result).toEqual({
        sum: reduced(5, sum),
        max: reduced(5, (values) => Math.max(...values)),
        min: reduced(5, (values) => Math.min(...values)),
        mean: reduced(5, (values) => sum(values) / size),
        ...Object.fromEntries(
          ['float32', 'bfloat16', 'int64'].flatMap((dtype) => [
            [`gather ${dtype}`, inputs(6).map(shaped)],
            [`broadcast ${dtype}`, shaped(last)],
          ]),
        ),
        'gather bool': inputs(6).map((input) => shaped(asBool(input))),
        'broadcast bool': shaped(asBool(last)),
        scatter: reduced(3 * size, sum).slice(3 * rank, 3 * rank + 3),
        sums: [sum(ranks), expect.closeTo(0.1 * size, 12)],
        any: [size > 1, false],
        exchange: ranks.map((r) => ({ rank: r, text: 'ä'.repeat(r), missing: 'NaN' })),
        both: [sum(ranks), 10 * sum(ranks)],
        live: 0,
      });
    });
  });

  test('a store that nobody holds is an error that says where it was sought', async () => {
    const port = await freePort();
    const join = ProcessGroup.join({ rank: 1, size: 2, host: '127.0.0.1', port, timeLimitSeconds: 1 });
    await expect(join).rejects.toThrow(PeerError);
    await expect(join).rejects.toThrow(`rank 1 cannot reach the store at 127.0.0.1:${port} within 1.0 s`);
  });

  test('what is not for this group is refused before anything is sent', async () => {
    await using group = await ProcessGroup.join({ rank: 0, size: 1, host: 'localhost', port: 1 });
    scope(() => {
      const x = tensor([1, 2, 3, 4]);
      expect(() => group.allGather(tensor([1]), x)).toThrow('an all-gather of 1 ranks gives');
      expect(() => group.allReduce(x.view(2, 2).transpose(0, 1))).toThrow('contiguous');
      expect(() => group.broadcast(x, 1)).toThrow('there is no rank 1 among 1');
      const pending = group.allReduce(x);
      pending.wait();
      expect(() => pending.wait()).toThrow('waited for once');
    });
  });
});
