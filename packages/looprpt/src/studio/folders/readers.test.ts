/** Long metrics read by threads, and what is kept of them, against reading them in one go. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { KeptDigests } from './kept-digests.js';
import { RunLibrary } from './library.js';
import { LONG, Readers } from './readers.js';

const PAD = 'x'.repeat(400);
const lineOf = (step: number) => `${JSON.stringify({ step, loss: step === 777 ? 50 : 1 / step, note: PAD })}\n`;
const STEPS = Math.ceil((1.2 * LONG) / lineOf(1000).length);

function writeRun(folder: string, steps: number): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ steps }));
  const metrics = join(folder, 'metrics.jsonl');
  writeFileSync(metrics, Array.from({ length: steps }, (_, i) => lineOf(i + 1)).join(''));
  return metrics;
}

async function readAll(library: RunLibrary): Promise<void> {
  while (library.work() || library.elsewhere) await library.elsewhere;
}

function lossesOf(library: RunLibrary) {
  const ids = library.summaries.map(({ id }) => id);
  return library.curves(ids, ['loss'], { points: 400 });
}

describe('readers', () => {
  it('give what one gets by reading alone, and keep it for the next time', async () => {
    const { path } = temporaryFolder();
    for (const name of ['a', 'b', 'c', 'd', 'e']) writeRun(join(path, 'runs', name), name === 'c' ? 10 : STEPS);
    const kept = new KeptDigests(join(path, 'kept'));
    const readers = new Readers(kept);
    await using _ = readers;
    const library = new RunLibrary([join(path, 'runs')], readers);
    expect(library.summaries.map(({ read }) => read < 1)).toEqual([true, true, true, true, true]);
    await readAll(library);
    const alone = new RunLibrary([join(path, 'runs')]);
    while (alone.work());
    const losses = lossesOf(library);
    expect(losses).toEqual(lossesOf(alone));
    expect(losses.map(({ exact }) => exact)).toEqual([true, true, true, true, true]);
    expect(Math.max(...losses[0]!.columns.loss!.max.map(Number))).toBe(50);
    expect(library.summaries).toEqual(alone.summaries);
    // The next studio has read the long ones before it begins, but for what was written since.
    const grown = join(path, 'runs', 'e', 'metrics.jsonl');
    appendFileSync(grown, lineOf(STEPS + 1));
    const next = new RunLibrary([join(path, 'runs')], new Readers(kept));
    expect(next.summaries.map(({ read }) => read === 1)).toEqual([true, true, false, true, false]);
    expect(next.work()).toBe(true);
    while (next.work());
    expect(lossesOf(next).at(-1)!.steps.at(-1)).toBe(STEPS + 1);
    expect(lossesOf(next).slice(0, 4)).toEqual(losses.slice(0, 4));
  });

  it('leave a file to whoever asks where they cannot read it', async () => {
    const { path } = temporaryFolder();
    const metrics = writeRun(join(path, 'run'), STEPS);
    const readers = new Readers(new KeptDigests(join(path, 'kept')));
    await using _ = readers;
    const library = new RunLibrary([path], readers);
    expect(library.work()).toBe(false);
    // Replaced by another run while it is read.
    writeFileSync(metrics, lineOf(3));
    await readAll(library);
    expect(lossesOf(library)[0]!.steps).toEqual([3]);
  });
});

describe('what is kept', () => {
  it('stays small: what was not used for longest goes', () => {
    const { path } = temporaryFolder();
    const kept = new KeptDigests(join(path, 'kept'), 250);
    mkdirSync(join(path, 'kept'));
    const files = ['a', 'b', 'c', 'd'].map((name) => kept.path(name));
    for (const [i, file] of files.entries()) {
      writeFileSync(file, Buffer.alloc(100));
      utimesSync(file, i, i);
    }
    writeFileSync(join(path, 'kept', 'other'), 'not ours');
    kept.prune();
    expect(files.map((file) => existsSync(file))).toEqual([false, false, true, true]);
    expect(readdirSync(join(path, 'kept'))).toContain('other');
  });

  it('may not be there, and nothing may be written: nobody minds', () => {
    const { path } = temporaryFolder();
    writeFileSync(join(path, 'file'), '');
    const kept = new KeptDigests(join(path, 'file', 'kept'));
    expect(kept.find(join(path, 'metrics.jsonl'))).toBe(null);
    kept.prune();
  });
});

it('the threads that read need no libtorch, which takes longer to load than all that they do', () => {
  const modules = ['library', 'readers'].map((name) =>
    fileURLToPath(new URL(`../../../dist/studio/folders/${name}.js`, import.meta.url)),
  );
  const program = `${modules.map((file) => `await import(${JSON.stringify(file)});`).join('')}
    console.log(process.report.getReport().sharedObjects.filter((path) => /torch|looprpt/.test(path)).join())`;
  expect(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }).trim()).toBe('');
});
