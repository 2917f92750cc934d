/** Run folders as they are found in the wild: being written, resumed, cut off, damaged, not ours. */
import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { MetricsLog, truncateAfter } from '../../train/metrics/metrics-log.js';
import type { MetricsRecord } from '../../train/metrics/record.js';
import { lockRun } from '../../train/state/run-lock.js';
import { RunLibrary } from './library.js';
import { sampled } from './sample.js';

function record(step: number, changes: Partial<MetricsRecord> = {}): MetricsRecord {
  return {
    ...{ step, tokens: 10 * step, seconds: 2 * step, tokensPerSecond: 5, learningRate: 0.1, loss: 1 / step },
    ...{ parts: { crossEntropy: 2 }, gradientNorm: 1, exitHistogram: [0.25, 0.75], exitEntropy: 0.5, meanLoops: 1.75 },
    ...{ memoryBytes: 1, ...changes },
  };
}

function writeRun(folder: string, steps: number, planned = steps): MetricsLog {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ steps: planned, model: { from: 'hop-base' } }));
  const log = new MetricsLog(join(folder, 'metrics.jsonl'));
  for (let step = 1; step <= steps; step++) log.write(record(step));
  return log;
}

function read(library: RunLibrary): void {
  library.refresh();
  while (library.work());
}

const lossOf = (library: RunLibrary, index = 0) => {
  const { id } = library.summaries[index]!;
  return library.curves([id], ['loss'], { points: 400 })[0]!;
};

describe('the library of runs', () => {
  it('finds runs below a folder, those that come later too, and none inside of a run', () => {
    const { path } = temporaryFolder();
    writeRun(join(path, 'a'), 3);
    writeRun(join(path, 'deep', 'er', 'b'), 2);
    mkdirSync(join(path, 'a', 'checkpoints', 'step-1'), { recursive: true });
    writeRun(join(path, 'a', 'checkpoints', 'step-1'), 1);
    const library = new RunLibrary([path]);
    read(library);
    expect(library.summaries.map(({ name, step }) => [name, step])).toEqual([
      ['a', 3],
      ['b', 2],
    ]);
    writeRun(join(path, 'c'), 1);
    expect(library.search()).toBe(true);
    read(library);
    expect(library.summaries.map(({ name }) => name)).toEqual(['a', 'c', 'b']);
    rmSync(join(path, 'a'), { recursive: true });
    expect(library.search()).toBe(true);
    expect(library.summaries.map(({ name }) => name)).toEqual(['c', 'b']);
  });

  it('says in a line that there is nothing, or nothing yet', () => {
    const { path } = temporaryFolder();
    expect(new RunLibrary([path]).lines).toEqual([`${path}: no runs in there yet`]);
    expect(new RunLibrary([join(path, 'no')]).lines).toEqual([`${join(path, 'no')}: no such folder yet`]);
  });

  it('follows a run while it is written, from state to state', () => {
    const { path } = temporaryFolder();
    const log = writeRun(path, 2, 4);
    const library = new RunLibrary([path]);
    const [state, left] = (() => {
      using _lock = lockRun(path);
      read(library);
      const [{ state, secondsLeft }] = library.summaries as [(typeof library.summaries)[0]];
      return [state, secondsLeft];
    })();
    // Two steps of two seconds each.
    expect([state, left]).toEqual(['running', 4]);
    library.refresh();
    expect(library.summaries[0]).toMatchObject({ state: 'stopped', step: 2, steps: 4, secondsLeft: null });
    library.takeChanges();
    log.write(record(3));
    // A line that is not finished is none.
    appendFileSync(join(path, 'metrics.jsonl'), '{"step":4,');
    library.refresh();
    expect(library.takeChanges().map(({ step }) => step)).toEqual([3]);
    appendFileSync(join(path, 'metrics.jsonl'), '"loss":7}\n');
    library.refresh();
    expect(library.summaries[0]).toMatchObject({ state: 'finished', step: 4, loss: 7 });
    expect(lossOf(library).columns.loss!.mean).toEqual([1, 0.5, 0.333333, 7].map((x) => expect.closeTo(x, 5)));
    library.takeChanges();
    library.refresh();
    expect(library.takeChanges()).toEqual([]);
  });

  it('forgets what a resumed run takes back', () => {
    const { path } = temporaryFolder();
    writeRun(path, 6).close();
    const library = new RunLibrary([path]);
    read(library);
    truncateAfter(join(path, 'metrics.jsonl'), 4);
    const log = new MetricsLog(join(path, 'metrics.jsonl'));
    log.write(record(5, { loss: 55 }));
    read(library);
    read(library);
    expect(lossOf(library).steps).toEqual([1, 2, 3, 4, 5]);
    expect(lossOf(library).columns.loss!.mean.at(-1)).toBe(55);
    // In place, as no program of ours does it.
    writeFileSync(join(path, 'metrics.jsonl'), `${JSON.stringify(record(1))}\n`);
    read(library);
    read(library);
    expect(lossOf(library).steps).toEqual([1]);
  });

  it('gives a line for what is damaged or not ours, and goes on', async () => {
    const { path, write } = temporaryFolder();
    writeRun(join(path, 'run'), 2).close();
    appendFileSync(join(path, 'run', 'metrics.jsonl'), 'nonsense\n[1]\n{"step":"x"}\n');
    appendFileSync(join(path, 'run', 'metrics.jsonl'), `${JSON.stringify(record(3, { warnings: ['the gate'] }))}\n`);
    write('run/checkpoints/step-2/checksums.json', '{"trainer.json":"0"}');
    write('run/checkpoints/step-2/trainer.json', '{}');
    write('foreign/metrics.jsonl', 'a,b\n1,2\n');
    write('foreign/config.json', '[1, 2');
    write('foreign/run.lock', 'not a lock');
    const library = new RunLibrary([path]);
    read(library);
    while (await library.check());
    library.refresh();
    const [foreign, run] = library.summaries as [(typeof library.summaries)[0], (typeof library.summaries)[0]];
    expect(foreign).toMatchObject({ name: 'foreign', state: 'stopped', step: 0, steps: null, loss: null });
    expect(foreign.lines[0]).toMatch(/byte 0: not a record of a run/);
    expect(run).toMatchObject({
      step: 3,
      checkpoints: [{ step: 2, damage: expect.stringContaining('does not list') }],
    });
    expect(run.lines.join('\n')).toMatch(
      /checkpoint of step 2 is damaged and skipped.*not a record.*step 3: the gate/s,
    );
  });

  it('reads a zoomed range from the file, step by step', () => {
    const { path } = temporaryFolder();
    writeRun(path, 3000).close();
    const library = new RunLibrary([path]);
    read(library);
    const { id } = library.summaries[0]!;
    const [whole] = library.curves([id], ['loss'], { points: 400 });
    expect(whole!.width).toBeGreaterThan(1);
    const [part] = library.curves([id], ['loss'], { points: 400, from: 1001, to: 1100 });
    expect(part!.steps).toEqual(Array.from({ length: 100 }, (_, i) => 1001 + i));
    expect(part!.columns.loss!.mean[99]).toBe(1 / 1100);
  });

  it('shows single steps of a long file until it is read, and all of it then', () => {
    const { path } = temporaryFolder();
    writeRun(path, 5000).close();
    const series = sampled(join(path, 'metrics.jsonl'), { shortest: 1000 })!;
    expect(series.lastStep).toBe(5000);
    const { steps, columns } = series.read(['loss'], { points: 1000 });
    expect(steps.length).toBeGreaterThan(100);
    for (const [i, step] of steps.entries()) expect(columns.loss!.max[i]).toBe(1 / step);
    expect(sampled(join(path, 'metrics.jsonl'), { shortest: 1e9 })).toBe(null);
  });

  it('does not mind a folder that goes away while it is looked at', () => {
    const { path } = temporaryFolder();
    writeRun(join(path, 'run'), 2).close();
    const library = new RunLibrary([path]);
    read(library);
    renameSync(join(path, 'run'), join(path, 'gone.tmp'));
    rmSync(join(path, 'gone.tmp'), { recursive: true });
    read(library);
    library.search();
    expect(library.summaries).toEqual([]);
  });
});
