import { describe, expect, it } from 'vitest';
import { modelConfig } from '../cases.js';
import type { Stretch } from './decoding.js';
import { summarize } from './summary.js';

const config = modelConfig({ name: '', hidden: 8, layers: 2, heads: 2, ffn: 12, vocab: 16 });

describe('the summary of rounds', () => {
  it('holds speed against the bound of products alone', () => {
    // F1 = 2·layers·(E·(3E + E) + 3·E·F) + attention 4·E·context·layers + gate 2·E; F0 = 2·E·V
    const context = 10;
    const F1 = 2 * 2 * (8 * 32 + 3 * 8 * 12) + 4 * 8 * context * 2 + 2 * 8;
    const F0 = 2 * 8 * 16;
    const stretch = (seconds: number, meanLoops: number): Stretch => ({
      seconds,
      cpuSeconds: seconds,
      tokens: 100,
      meanLoops,
      meanContext: context,
    });
    const full = [stretch(4, 4), stretch(8, 4), stretch(4, 4)];
    const adaptive = [stretch(2, 1.5), stretch(5, 2.5), stretch(3, 2)];
    const row = summarize({ batch: 8, name: 'x' }, adaptive, full, config);
    expect(row.speedup).toBeCloseTo(1.6);
    expect(row.bound).toBeCloseTo((F0 + 4 * F1) / (F0 + 2 * F1));
    expect(row.reached).toBeCloseTo(row.speedup! / row.bound!);
    expect([row.meanLoops, row.tokensPerSecond, row.best]).toEqual([2, 100 / 3, 50]);
    expect(summarize({ batch: 8, name: 'x' }, adaptive, null, config).bound).toBeNull();
  });
});
