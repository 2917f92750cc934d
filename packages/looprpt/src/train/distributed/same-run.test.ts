/** Ranks that were started differently are found out before a step is made. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import type { Peers } from '../../objectives/peers.js';
import { type RunConfigInput, runConfigSchema } from '../run-config.js';
import { assertSameRun } from './same-run.js';

const shards = (content: string): string => {
  const folder = join(temporaryFolder().path, 'shards');
  mkdirSync(folder);
  writeFileSync(join(folder, 'manifest.json'), content);
  return folder;
};

const config = (change: Partial<RunConfigInput> = {}) =>
  runConfigSchema.parse({
    model: { from: 'base' },
    data: { task: { task: 'hop' } },
    objective: { kind: 'looprpt' },
    out: 'run',
    steps: 10,
    ...change,
  });

/** What rank 0 hears from itself and from rank 1. */
function together(own: ReturnType<typeof config>, other: ReturnType<typeof config>, tokenizers = ['t', 't']): void {
  const said: unknown[] = [];
  const peers = (values: unknown[]): Peers => ({
    rank: 0,
    size: 2,
    sums: (numbers) => [...numbers],
    any: (flag) => flag,
    exchange: <T>(value: T): T[] => {
      said.push(value);
      return (values.length > 0 ? values : [value, value]) as T[];
    },
  });
  assertSameRun(own, tokenizers[0]!, peers([]));
  assertSameRun(other, tokenizers[1]!, peers([]));
  assertSameRun(own, tokenizers[0]!, peers(said));
}

describe('ranks', () => {
  it('with one recipe, on machines of their own, are the same run', () => {
    const manifest = '{"counts": 1}';
    together(
      config({ threads: 2, device: 'cpu', data: { shards: shards(manifest) } }),
      config({ threads: 4, device: 'cuda:1', data: { shards: shards(manifest) } }),
    );
  });

  it.each([
    [
      'optimizer.learningRate',
      { optimizer: { learningRate: 0.5 } },
      'optimizer.learningRate is 0.5 there and 0.001 on rank 0',
    ],
    ['steps', { steps: 11 }, 'steps is 11 there and 10 on rank 0'],
    [
      'the task',
      { data: { task: { task: 'hop', alphabet: 12 } } },
      /data\.task\.alphabet is 12 there and not set on rank 0/,
    ],
    [
      'the objective',
      { objective: { kind: 'looprpt', rho: 0.4 } },
      /objective\.rho is 0\.4 there and [\d.]+ on rank 0/,
    ],
  ] as const)('with another %s are named', (_, change, words) => {
    const own = config({ optimizer: { learningRate: 0.001 } });
    const other = config({ optimizer: { learningRate: 0.001 }, ...(change as Partial<RunConfigInput>) });
    expect(() => together(own, other)).toThrow(words);
    expect(() => together(own, other)).toThrow('rank 1 is not started like rank 0');
  });

  it('with other data under the same path, or another tokenizer, are named', () => {
    const own = config({ data: { shards: shards('{"counts": 1}') } });
    const other = config({ data: { shards: shards('{"counts": 2}') } });
    expect(() => together(own, other)).toThrow('rank 1 is not started like rank 0: the data is');
    expect(() => together(own, own, ['t', 'u'])).toThrow('the tokenizer is u there and t on rank 0');
  });
});
