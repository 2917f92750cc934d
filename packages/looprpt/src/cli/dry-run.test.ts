/** `--dry-run` of commands that only read a model: what it will take, in one line where that cannot be had, and nothing is loaded. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { liveTensors } from '@looprpt/engine';
import { beforeEach, describe, expect, it } from 'vitest';
import { collectGarbage } from '../../../engine/test-support/collect-garbage.js';
import { runCli, runJson } from '../../test-support/run-cli.js';
import { tinyModelFolder } from '../../test-support/serve/tiny-folder.js';
import { temporaryFolder } from '../../test-support/temporary-folder.js';

let model: string;
let data: string;
beforeEach(async () => {
  const { path } = temporaryFolder();
  model = await tinyModelFolder(path);
  data = join(path, 'text.jsonl');
  writeFileSync(data, '{"text": "the cat sat on the mat"}\n{"text": "a dog"}\n');
});

interface Planned {
  model: { parameters: number; mapped: number; own: number; byDType: { float32: number }; largePages: boolean };
  memory: Record<string, number>;
}

function weigh({ model: { parameters, mapped, own, byDType, largePages } }: Pick<Planned, 'model'>): void {
  expect(byDType.float32).toBe(4 * parameters);
  expect(mapped + own).toBe(4 * parameters);
  expect(largePages).toBe(false);
}

describe('serve --dry-run', () => {
  it('says what fits', async () => {
    await collectGarbage();
    const before = liveTensors();
    const args = ['serve', '--model', model, '--dry-run', '--max-length', '64', '--max-batch', '3'];
    const plan = await runJson<Planned & { maxLength: number; cacheTokens: number; texts: number }>(...args);
    weigh(plan);
    expect(plan).toMatchObject({ maxLength: 64, cacheTokens: 96, texts: 1 });
    expect(plan.memory.cache).toBe(96 * plan.memory.token!);
    const { code, stdout } = await runCli(...args);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^model {4}.*: \d+ layers × 3 loops/);
    expect(stdout).toMatch(/\nfits {5}96 tokens in .*: 1 text of 64 tokens, up to 3 shorter ones at once\n$/);
    expect(liveTensors()).toBe(before);
  });

  it('refuses by name what cannot fit', async () => {
    const { code, stdout, stderr } = await runCli(
      'serve',
      '--model',
      model,
      '--dry-run',
      '--cache-tokens',
      '1000000000000',
    );
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(
      /^looprpt: cache tokens: 1000000000000 need .* GB, and .* left beside the weights: at most \d+\n$/,
    );
  });
});

describe('generate --dry-run', () => {
  it('says what the text takes, and refuses what cannot fit, with and without', async () => {
    await collectGarbage();
    const before = liveTensors();
    const args = ['generate', '--model', model, '--prompt', 'the cat'];
    const plan = await runJson<Planned & { promptTokens: number }>(...args, '--dry-run', '--max-tokens', '20');
    weigh(plan);
    expect(plan.promptTokens).toBeGreaterThan(1);
    expect(plan.memory.cache).toBe((plan.promptTokens + 20) * plan.memory.token!);
    expect((await runCli(...args, '--dry-run')).stdout).toMatch(/\nneeds {4}.* of memory and .* of mapped weights\n/);
    for (const more of [['--dry-run'], []]) {
      const { code, stdout, stderr } = await runCli(...args, ...more, '--max-tokens', '100000000000');
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(
        /^looprpt: .*: needs .* \(.*cache .*\), and .* are free: fewer max tokens than 100000000000\n$/,
      );
    }
    expect(liveTensors()).toBe(before);
  });
});

describe('eval --dry-run', () => {
  it('says what the batches take, and refuses what cannot fit, with and without', async () => {
    await collectGarbage();
    const before = liveTensors();
    const args = ['eval', '--model', model, '--data', data];
    const plan = await runJson<{ rows: number; sequenceLength: number; models: Planned[] }>(
      ...args,
      '--dry-run',
      '--rows',
      '2',
    );
    expect(plan).toMatchObject({ rows: 2, models: [{ memory: { pass: expect.any(Number) as number } }] });
    plan.models.forEach(weigh);
    expect((await runCli(...args, '--dry-run')).stdout).toMatch(/\npass {5}.* at most, logits .*, tables /);
    for (const more of [['--dry-run'], []]) {
      const { code, stdout, stderr } = await runCli(...args, ...more, '--rows', '10000000000');
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/^looprpt: .*: needs .* \(.*pass .*\), and .* are free: fewer rows than 10000000000, or/);
    }
    expect(liveTensors()).toBe(before);
  });

  it('is not of tasks', async () => {
    const { stderr } = await runCli('eval', '--model', model, '--tasks', 'gsm8k=x.jsonl', '--dry-run');
    expect(stderr).toBe('looprpt: --dry-run: is for --data; leave it or --tasks out\n');
  });
});
