/** One rank of group.test.ts, as a process: does every collective once and writes what came out, as JSON. */
import { empty, liveTensors, ProcessGroup, scope, tensor } from '@looprpt/engine';

/** What rank `rank` puts in: exact in float32. */
export const inputOf = (rank: number, n: number): number[] =>
  Array.from({ length: n }, (_, i) => (((rank + 2) * (i + 3)) % 11) - 4);

async function main(rank: number, size: number, port: number): Promise<void> {
  const live = liveTensors();
  const options = { rank, size, host: '127.0.0.1', port, timeLimitSeconds: 60 };
  const results: Record<string, unknown> = {};
  {
    await using group = await ProcessGroup.join(options);
    scope(() => {
      for (const reduction of ['sum', 'max', 'min', 'mean'] as const) {
        const x = tensor(inputOf(rank, 5), { dtype: 'float32' });
        group.allReduce(x, reduction).wait();
        results[reduction] = x.toArray();
      }
      for (const dtype of ['float32', 'bfloat16', 'int64', 'bool'] as const) {
        const x = tensor(inputOf(rank, 6), { shape: [2, 3] }).to({ dtype });
        const all = empty([size, 2, 3], { dtype });
        group.allGather(all, x).wait();
        results[`gather ${dtype}`] = all.toArray();
        group.broadcast(x, size - 1).wait();
        results[`broadcast ${dtype}`] = x.toArray();
      }
      const part = empty([3]);
      group.reduceScatter(part, tensor(inputOf(rank, 3 * size), { dtype: 'float32' })).wait();
      results.scatter = part.toArray();
      results.sums = group.sums([rank, 0.1]);
      results.any = [group.any(rank === 1), group.any(false)];
      results.exchange = group.exchange({ rank, text: 'ä'.repeat(rank), missing: Number.NaN });
      // Two under way at once, waited for in the other order.
      const [a, b] = [tensor([rank]), tensor([10 * rank])];
      const [first, second] = [group.allReduce(a), group.allReduce(b)];
      second.wait();
      first.wait();
      results.both = [a.item(), b.item()];
    });
    await group.barrier().ended();
  }
  results.live = liveTensors() - live;
  process.stdout.write(JSON.stringify(results, (_, value: unknown) => (Number.isNaN(value) ? 'NaN' : value)));
}

if (process.argv.length > 4) await main(...(process.argv.slice(2).map(Number) as [number, number, number]));
