import { describe, expect, it } from 'vitest';
import { emptyBatch, type PackedBatch } from '../data/loader/batch.js';
import { type LoopSetting, trainingLoop } from './loop.js';
import type { StepResult } from './trainer.js';

/** A trainer that only remembers what it was given; the loss is the number of its call. */
class Recorder {
  readonly calls: { batches: readonly PackedBatch[]; rate: number }[] = [];
  step(batches: readonly PackedBatch[], rate: number): StepResult {
    this.calls.push({ batches, rate });
    const counted = { tokens: 0, lossTokens: 0, gradientNorm: 0, skipped: false };
    return { loss: this.calls.length, parts: {}, exitHistogram: [], exitEntropy: 0, meanLoops: 0, ...counted };
  }
}

/** So many steps' batches, with a count of those read and a note of their end. */
function source(length: number) {
  const seen = { read: [] as (readonly PackedBatch[])[], closed: false };
  async function* batches(): AsyncGenerator<PackedBatch[]> {
    try {
      for (let i = 0; i < length; i++) {
        const step = [emptyBatch(1, i + 1)];
        seen.read.push(step);
        yield step;
      }
    } finally {
      seen.closed = true;
    }
  }
  return { seen, batches: batches() };
}

function setting(length: number, rest: Partial<LoopSetting> = {}) {
  const { seen, batches } = source(length);
  const trainer = new Recorder();
  return { seen, trainer, loop: { trainer, batches, steps: 5, learningRate: (step: number) => step / 10, ...rest } };
}

describe('trainingLoop', () => {
  it('makes every step from its own batches at its own rate, and reads none beyond the last', async () => {
    const reports: [number, number, number][] = [];
    const { seen, trainer, loop } = setting(9, {
      onStep: ({ step, learningRate, result }) => {
        reports.push([step, learningRate, result.loss]);
      },
    });
    expect(await trainingLoop(loop)).toBe(5);
    expect(trainer.calls).toEqual(seen.read.map((batches, i) => ({ batches, rate: (i + 1) / 10 })));
    expect(reports).toEqual([1, 2, 3, 4, 5].map((step) => [step, step / 10, step]));
    expect(seen).toMatchObject({ read: { length: 5 }, closed: true });
  });

  it('ends with the data, and takes them from a plain list too', async () => {
    expect(await trainingLoop(setting(3).loop)).toBe(3);
    const { trainer, loop } = setting(0, { batches: [[emptyBatch(1, 1)], [emptyBatch(2, 2)]] });
    expect(await trainingLoop(loop)).toBe(2);
    expect(trainer.calls.map(({ batches: [batch] }) => batch!.B)).toEqual([1, 2]);
  });

  it('goes on from earlier steps, and makes none where all are made', async () => {
    const { trainer, loop } = setting(9, { from: 3 });
    expect(await trainingLoop(loop)).toBe(5);
    expect(trainer.calls.map(({ rate }) => rate)).toEqual([0.4, 0.5]);
    const finished = setting(9, { from: 5 });
    expect(await trainingLoop(finished.loop)).toBe(5);
    expect(finished.seen.read).toEqual([]);
  });

  it('stops where it is told to', async () => {
    const { seen, loop } = setting(9, { onStep: async ({ step }) => (step === 2 ? 'stop' : undefined) });
    expect(await trainingLoop(loop)).toBe(2);
    expect(seen).toMatchObject({ read: { length: 2 }, closed: true });
  });

  it('counts on from where the weights went back to, with the data that come next', async () => {
    let back = false;
    const { seen, trainer, loop } = setting(9, {
      onStep: ({ step }) => {
        if (back || step !== 3) return undefined;
        back = true;
        return { from: 1 };
      },
    });
    expect(await trainingLoop(loop)).toBe(5);
    expect(trainer.calls.map(({ rate }) => rate)).toEqual([0.1, 0.2, 0.3, 0.2, 0.3, 0.4, 0.5]);
    expect(trainer.calls.map(({ batches }) => batches)).toEqual(seen.read);
  });

  it('gives other work its turn before every report', async () => {
    const events: string[] = [];
    const { loop, trainer } = setting(2, { onStep: ({ step }) => void events.push(`report ${step}`) });
    const step = trainer.step.bind(trainer);
    trainer.step = (batches, rate) => {
      setImmediate(() => events.push(`work ${trainer.calls.length}`));
      return step(batches, rate);
    };
    await trainingLoop(loop);
    expect(events).toEqual(['work 1', 'report 1', 'work 2', 'report 2']);
  });

  it('closes the data when a report throws', async () => {
    const { seen, loop } = setting(9, {
      onStep: () => {
        throw new Error('enough');
      },
    });
    await expect(trainingLoop(loop)).rejects.toThrow('enough');
    expect(seen).toMatchObject({ read: { length: 1 }, closed: true });
  });
});
