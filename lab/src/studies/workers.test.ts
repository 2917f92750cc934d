/** The pool of processes, with a program that says when it works instead of training. */
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../packages/looprpt/test-support/temporary-folder.js';
import { FORMAT, type Unit } from './unit.js';
import { Workers } from './workers.js';

/** Answers after as many milliseconds as the unit's seed; 13 ends the process, and odd seeds report how far they are. */
const PROGRAM = `
process.on('disconnect', () => process.exit(0));
process.on('message', ({ unit }) => {
  if (unit.seed === 13) process.exit(3);
  if (unit.seed % 2) process.send({ kind: 'progress', share: 0.5 });
  setTimeout(() => process.send({ kind: 'done' }), unit.seed);
});`;

function unit(seed: number): Unit {
  const recipe = { steps: 1, batch: { rows: 1, sequenceLength: 1, pack: 'greedy' }, schedule: {}, weightDecay: 0 };
  return { kind: 'base', format: FORMAT, seed, recipe } as Unit;
}

describe('workers', () => {
  it('run as many units at a time as there are, and begin them in order', async () => {
    using workers = new Workers('work', 2, 1, temporaryFolder().write('worker.mjs', PROGRAM));
    const done: number[] = [];
    const shares: number[] = [];
    const run = async (seed: number): Promise<void> => {
      await workers.run(unit(seed), (share) => shares.push(share));
      done.push(seed);
    };
    await Promise.all([run(800), run(1), run(2), run(4)]);
    expect(done).toEqual([1, 2, 4, 800]);
    expect(shares).toEqual([0.5]);
  });

  it('told to stop finish what they run and begin nothing else', async () => {
    using workers = new Workers('work', 1, 1, temporaryFolder().write('worker.mjs', PROGRAM));
    const running = workers.run(unit(200), () => {});
    let isDone = false;
    const waiting = workers.run(unit(2), () => {}).catch((error: Error) => [error.message, isDone]);
    void running.then(() => {
      isDone = true;
    });
    workers.stop();
    await running;
    expect(await waiting).toEqual(['stopped before the unit began', true]);
    await expect(workers.run(unit(4), () => {})).rejects.toThrow('stopped');
  });

  it('that end before their unit is done are an error, and others go on', async () => {
    using workers = new Workers('work', 1, 1, temporaryFolder().write('worker.mjs', PROGRAM));
    await expect(workers.run(unit(13), () => {})).rejects.toThrow('ended with 3');
    await workers.run(unit(2), () => {});
  });
});
