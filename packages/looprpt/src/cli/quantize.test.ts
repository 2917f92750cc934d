/** `quantize` on the command line: what it writes, and what it refuses before it writes anything. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { liveTensors } from '@looprpt/engine';
import { beforeEach, describe, expect, it, test } from 'vitest';
import { collectGarbage } from '../../../engine/test-support/collect-garbage.js';
import { runCli, runJson } from '../../test-support/run-cli.js';
import { tinyModelFolder } from '../../test-support/serve/tiny-folder.js';
import { temporaryFolder } from '../../test-support/temporary-folder.js';

let folder: string;
let model: string;
let text: string;
beforeEach(async () => {
  folder = temporaryFolder().path;
  model = await tinyModelFolder(folder);
  text = join(folder, 'text.jsonl');
  writeFileSync(text, '{"text": "the cat sat on the mat"}\n{"text": "a dog on a mat"}\n'.repeat(20));
});

const quantize = (...args: string[]) => ['quantize', '--model', model, '--weights', 'int4', ...args];

describe('calibrated', () => {
  it('takes as many tokens as it is told, writes the same twice, and is read like any other', async () => {
    await collectGarbage();
    const before = liveTensors();
    const made = (out: string, ...more: string[]) =>
      runJson(...quantize('--out', join(folder, out), '--calibrate', text, '--keep-int8', 'head,qkv', ...more));
    const some = await made('some', '--calibration-tokens', '50');
    expect(some).toMatchObject({
      format: 'int4 in groups of 32, qkv, head in int8',
      calibration: { data: text, tokens: 50, fitPasses: 0 },
    });
    await made('again', '--calibration-tokens', '50');
    const all = await made('all');
    expect((all as typeof some & { calibration: { tokens: number } }).calibration.tokens).toBeGreaterThan(200);
    const bytes = (out: string) => readFileSync(join(folder, out, 'model.safetensors')).toString('base64');
    expect(bytes('again')).toBe(bytes('some'));
    expect(bytes('all')).not.toBe(bytes('some'));
    const { code, stderr } = await runCli('eval', '--model', join(folder, 'some'), '--data', text, '--quiet');
    expect([code, stderr]).toEqual([0, '']);
    expect(liveTensors()).toBe(before);
  });

  test('on a generated task with settings of its own', async () => {
    const args = ['--calibrate', 'task:hop', '--set', 'queries=2', '--count', '3', '--out', join(folder, 'hop')];
    const { code, stdout, stderr } = await runCli(...quantize(...args, '--fit-passes', '2'));
    expect(code).toBe(0);
    expect(stdout).toMatch(/: int4 in groups of 32, calibrated and fitted on \d+ tokens, /);
    expect(stderr).toMatch(/fitting: step 2 of 2, divergence \d\.\d{4} nats {2}/);
  });
});

describe('refused in a line, with nothing written', () => {
  it.each([
    [['--count', '3'], '--count: is for text; give --calibrate too'],
    [['--split', 'train'], '--split: is for text; give --calibrate too'],
    [['--calibration-tokens', '9'], '--calibration-tokens: is for text; give --calibrate too'],
    [['--fit-passes', '1'], '--fit-passes: is for text; give --calibrate too'],
    [['--keep-int8', 'norm'], "'norm' is none of qkv, out, gate-up, down, head"],
    [['--calibrate', 'nowhere.jsonl'], 'nowhere.jsonl: no such'],
    [['--calibrate', 'task:hops'], "no task 'hops'"],
    [['--weights', 'int8', '--keep-int8', 'head'], '--keep-int8: is for --weights int4'],
  ])('%j', async (args, words) => {
    const before = readdirSync(folder);
    const { code, stdout, stderr } = await runCli(...quantize('--out', join(folder, 'out'), ...args));
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(words);
    expect(stderr.trim().split('\n').at(-1)).toMatch(/^looprpt: /);
    expect(readdirSync(folder)).toEqual(before);
  });

  test('a folder that is taken, before the model is looked for', async () => {
    const { code, stderr } = await runCli('quantize', '--model', 'none/there', '--weights', 'int4', '--out', folder);
    expect([code, stderr]).toEqual([
      1,
      `looprpt: ${folder}: exists and is not empty; remove it or give another output folder\n`,
    ]);
    expect(existsSync(join(folder, 'config.json'))).toBe(false);
  });
});
