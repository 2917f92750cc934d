import { describe, expect, it } from 'vitest';
import { MODELS } from './cases.js';
import { admit, admitAlone, type Participant, peerBytes } from './memory.js';

describe("the peer's memory", () => {
  /** Peak RSS, MB (lab/peer/README.md). */
  const measured: [model: string, B: number, T: number, mode: string, peak: number][] = [
    ['0.1M', 16, 128, 'stage1', 383],
    ['0.1M', 4, 512, 'looprpt-full-backbone', 1730],
    ['2M', 16, 128, 'stage1', 1148],
    ['2M', 4, 512, 'looprpt-hard-gate', 1421],
    ['2M', 16, 128, 'looprpt-hard-backbone', 2044],
    ['2M', 16, 128, 'looprpt-full-backbone', 6168],
    ['2M', 4, 512, 'looprpt-full-backbone', 8151],
    ['12M', 16, 128, 'looprpt-hard-backbone', 5570],
    ['12M', 4, 512, 'stage1', 3455],
  ];
  it.each(measured)('%s, %d x %d, %s', (model, B, T, mode, peak) => {
    const of = MODELS.find(({ name }) => name === model)!;
    const ratio = peerBytes(of, { B, T }, mode) / (peak * 2 ** 20);
    expect(ratio).toBeGreaterThan(0.75);
    expect(ratio).toBeLessThan(1.5);
  });
});

describe('admission', () => {
  const one = (mode: string, bytes: number): Participant => ({ side: 'ours', mode, bytes });

  it('keeps the order and leaves out the large ones', () => {
    const wanted = [one('large', 9e9), one('small', 1e9), one('middle', 2e9)];
    const { admitted, skipped } = admit(wanted, 5e9);
    expect(admitted.map(({ mode }) => mode)).toEqual(['small', 'middle']);
    expect(skipped).toEqual(['ours large needs about 9.0 GB beside the others; 5.0 GB are free']);
    expect(admit(wanted, 14e9).skipped).toEqual([]);
    expect(admit(wanted, 1e9).admitted).toEqual([]);
  });

  it('of one at a time leaves out what does not fit alone', () => {
    const { admitted, skipped } = admitAlone([one('large', 9e9), one('small', 1e9), one('middle', 2e9)], 3e9);
    expect(admitted.map(({ mode }) => mode)).toEqual(['small', 'middle']);
    expect(skipped).toEqual(['ours large needs about 9.0 GB; 3.0 GB are free']);
  });
});
