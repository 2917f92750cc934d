/** A short `npm run torture`, and that its comparison sees every kind of difference. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from 'looprpt/internal/train/run.js';
import { listCheckpoints } from 'looprpt/internal/train/state/folder.js';
import { describe, expect, it } from 'vitest';
import { differences } from '../../../packages/looprpt/test-support/compare-runs.js';
import { temporaryFolder } from '../../../packages/looprpt/test-support/temporary-folder.js';
import { tinyRun } from '../../../packages/looprpt/test-support/tiny-run.js';
import { problemsOf, torture } from './torture.js';

describe('the comparison of two ends', () => {
  it('finds nothing between two runs of one kind, and whatever differs', async () => {
    const { path } = temporaryFolder();
    const { config } = await tinyRun();
    const [a, b] = [join(path, 'a'), join(path, 'b')];
    for (const out of [a, b]) await run(config(out, { tensorboard: true }), false);
    expect(differences(a, b)).toEqual([]);

    const changed = (name: string, edit: (bytes: Buffer) => Buffer | string): string[] => {
      const copy = join(path, 'copy');
      cpSync(b, copy, { recursive: true, force: true });
      const file = join(copy, name);
      writeFileSync(file, edit(readFileSync(file)));
      return differences(a, copy);
    };
    const flipped = (bytes: Buffer): Buffer => {
      bytes[bytes.length - 1]! ^= 1;
      return bytes;
    };
    const last = join('checkpoints', `step-${listCheckpoints(b)[0]!.step}`);
    for (const name of ['model.safetensors', 'trainer.safetensors', 'tokenizer.json'])
      expect(changed(join(last, name), flipped)).toEqual([`step 6: ${name}`]);
    const state = join(last, 'trainer.json');
    expect(changed(state, (bytes) => String(bytes).replace('"seconds": ', '"seconds": 1'))).toEqual([]);
    for (const key of ['updates', 'steps', 'epoch', 'position', 'tokens', 'skippedTotal'])
      expect(changed(state, (bytes) => String(bytes).replace(new RegExp(`("${key}": "?)`), '$11'))).toEqual([
        'step 6: trainer.json',
      ]);
    const lines = (edit: (all: string[]) => string[]) => (bytes: Buffer) => edit(String(bytes).split('\n')).join('\n');
    expect(
      changed(
        'metrics.jsonl',
        lines((all) => all.toSpliced(2, 1)),
      ),
    ).toEqual(['metrics.jsonl: step 4 where 3 should be']);
    expect(
      changed(
        'metrics.jsonl',
        lines((all) => [...all.slice(0, 3), ...all.slice(2)]),
      ),
    ).toEqual(['metrics.jsonl: step 3 where 4 should be']);
    expect(
      changed(
        'metrics.jsonl',
        lines((all) => all.toSpliced(-2, 1)),
      ),
    ).toEqual(['metrics.jsonl: 5 steps instead of 6']);
    const wrong = changed('metrics.jsonl', (bytes) => String(bytes).replace('"loss":', '"loss":1'));
    expect(wrong[0]).toBe('metrics.jsonl: step 1 has other numbers');
    expect(wrong[1]).toContain('TensorBoard');
  });
});

describe('torture', () => {
  it('of a few runs: every one that is killed, and every one that a disk refuses, ends as the undisturbed one', {
    timeout: 300_000,
  }, async ({ annotate }) => {
    const { path } = temporaryFolder();
    const result = await torture({ ends: 2, seed: 3, parallel: 2, folder: path });
    expect(problemsOf(result)).toEqual([]);
    expect(result.ends).toHaveLength(2);
    expect(result.ends.every(({ kills }) => kills.length > 0)).toBe(true);
    if (result.noDisks !== null) await annotate(`no disk trials: ${result.noDisks}`);
    else expect(result.disks.map(({ name }) => name)).toEqual(['full disk', 'read-only folder']);
  });
});
