/** Every command from text to report, one after the other in one project folder, as a user would type them. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { runCli, runJson, TINY_TASK, tinyProject } from '../../test-support/run-cli.js';
import { HOP_BASE } from '../checkpoint/shipped.js';
import { readManifest } from '../data/shards/manifest.js';
import { generatedTextSchema } from '../decode/generate.js';
import { ComparisonResultSchema, EvalResultSchema } from '../eval/result.js';
import { runConfigSchema } from '../train/run-config.js';

const before = process.cwd();
let folder = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'looprpt-cli-'));
  process.chdir(folder);
  await tinyProject(folder);
  await runJson('pretrain', '--config', 'base.json', '--quiet');
  await runJson('train', '--config', 'looprpt.json', '--quiet');
});

afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

const read = (path: string): string => readFileSync(path, 'utf8');
const json = <T = unknown>(path: string): T => JSON.parse(read(path)) as T;

describe('data make', () => {
  const make = (...args: string[]) => runJson('data', 'make', 'hop', ...TINY_TASK, '--count', '3', ...args);

  it('writes documents, the same for the same seed', async () => {
    const result = await make('--out', 'a.jsonl', '--seed', '5');
    expect(result).toMatchObject({ out: 'a.jsonl', documents: 3, seed: 5, split: 'train', task: { symbols: 4 } });
    await make('--out', 'b.jsonl', '--seed', '5');
    await make('--out', 'c.jsonl', '--seed', '6');
    expect(read('a.jsonl').trim().split('\n')).toHaveLength(3);
    expect(read('b.jsonl')).toBe(read('a.jsonl'));
    expect(read('c.jsonl')).not.toBe(read('a.jsonl'));
  });

  it('lists the tasks', async () => {
    const { tasks } = await runJson<{ tasks: { name: string }[] }>('data', 'make', '--list');
    expect(tasks.map(({ name }) => name)).toContain('stories');
    expect((await runCli('data', 'make', '--list')).stdout).toContain('hops: H, the largest number of hops');
  });
});

describe('data prepare', () => {
  it('makes one set of shards of several sources', async () => {
    writeFileSync('one.jsonl', '{"text": "a b"}\n');
    writeFileSync(
      'mixture.yaml',
      'parts:\n  - { kind: files, paths: [one.jsonl] }\n  - { kind: task, config: { task: hop, symbols: 4 }, count: 3 }\n',
    );
    const tokenizer = ['--model-or-tokenizer', 'tokenizer', '--out', 'mixed', '--quiet'];
    const result = await runJson<{ counts: object; source: string }>(
      'data',
      'prepare',
      '--mixture',
      'mixture.yaml',
      ...tokenizer,
    );
    expect(result).toMatchObject({ counts: { documents: 4 }, source: 'one.jsonl, hop' });
  });

  it('makes shards with a manifest, from fields put together, and leaves broken records out if asked', async () => {
    writeFileSync('qa.jsonl', '{"q": "a b", "a": "c"}\n{"q": 1\n{"q": "d", "a": "e f"}\n');
    const options = ['--input', 'qa.jsonl', '--model-or-tokenizer', 'tokenizer', '--prompt', 'Q: {q}\\nA:'];
    const result = await runJson<{ counts: object }>(
      'data',
      'prepare',
      ...options,
      '--completion',
      ' {a}',
      '--out',
      'qa',
      '--on-broken',
      'skip',
      '--quiet',
    );
    expect(result.counts).toMatchObject({ documents: 2, skippedRecords: 1 });
    expect(readManifest('qa').manifest.counts).toEqual(result.counts);
    expect(await runCli('data', 'prepare', ...options, '--completion', ' {a}', '--out', 'qa2')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^looprpt: qa\.jsonl:2: .*\n$/) as string,
    });
    expect(existsSync('qa2')).toBe(false);
  });

  it('keeps a share out, in shards of their own, or writes nothing', async () => {
    const lines = Array.from({ length: 200 }, (_, i) =>
      JSON.stringify({ text: `a ${'b c d e f'.slice(0, 1 + (i % 9))} ${i}` }),
    );
    writeFileSync('many.jsonl', `${lines.join('\n')}\n`);
    const options = ['--input', 'many.jsonl', '--model-or-tokenizer', 'tokenizer', '--quiet'];
    const prepare = (...args: string[]) => ['data', 'prepare', ...options, ...args];
    await runJson(...prepare('--out', 'parts', '--hold-out', '10%'));
    const counts = (folder: string) => readManifest(folder).manifest.counts.documents;
    expect(counts('parts') + counts('parts-heldout')).toBe(200);
    expect(counts('parts-heldout')).toBeGreaterThan(5);
    await runJson(...prepare('--out', 'again', '--hold-out', '0.1'));
    expect(readManifest('again-heldout').manifest.shards).toEqual(readManifest('parts-heldout').manifest.shards);
    const none = await runCli(...prepare('--out', 'none', '--hold-out', '0.0001%'));
    expect(none).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('leaves no document to judge by') as string,
    });
    expect(existsSync('none') || existsSync('none-heldout')).toBe(false);
    expect((await runCli(...prepare('--out', 'x', '--hold-out', '5'))).stderr).toContain('a share between 0 and 1');
  });

  it('knows data sets by name', async () => {
    writeFileSync('test.jsonl', '{"question": "1 + 1?", "answer": "It is <<1+1=2>>2.\\n#### 2"}\n');
    const result = await runJson<{ counts: object; split: string }>(
      'data',
      'prepare',
      '--dataset',
      'gsm8k',
      '--input',
      '.',
      '--split',
      'heldout',
      '--model-or-tokenizer',
      'runs/base',
      '--out',
      'gsm8k',
      '--quiet',
    );
    expect(result).toMatchObject({ split: 'heldout', counts: { documents: 1 } });
  });
});

describe('a run folder', () => {
  it('holds what cli.md promises', () => {
    for (const run of ['runs/base', 'runs/looprpt']) {
      expect(runConfigSchema.safeParse(json(`${run}/config.json`)).success).toBe(true);
      expect(read(`${run}/metrics.jsonl`).trim().split('\n')).toHaveLength(4);
      expect(readdirSync(run).some((name) => name.startsWith('events.out.tfevents'))).toBe(true);
      expect(readdirSync(`${run}/checkpoints/step-4`)).toEqual(
        expect.arrayContaining([
          'config.json',
          'model.safetensors',
          'tokenizer.json',
          'trained-on.json',
          'trainer.json',
        ]),
      );
      expect(read(`${run}/report.html`)).toMatch(/^<!doctype html>/);
    }
  });

  it('names the checkpoint that a run folder as model.from stood for', () => {
    expect(json('runs/looprpt/config.json')).toMatchObject({ model: { from: 'runs/base/checkpoints/step-4' } });
  });
});

describe('pretrain and train', () => {
  it('print for people what they made, and their progress on stderr', async () => {
    const { code, stdout, stderr } = await runCli('pretrain', '--config', 'base.json', '--out', 'runs/words');
    expect(code).toBe(0);
    expect(stdout).toMatch(/model\s+runs\/words\/checkpoints\/step-4\nreport\s+runs\/words\/report\.html\n/);
    expect(stderr).toMatch(/pretrain: 4\/4 .*loss .*loops .*tokens\/s/);
  });

  it.each(['gate', 'uniform-ce', 'hard-token-ce', 'stage1'])('train by %s', async (kind) => {
    const out = `runs/${kind}`;
    const args = ['--config', 'looprpt.json', '--set', `objective={kind: ${kind}}`, '--set', 'steps=1', '--out', out];
    const result = await runJson('train', ...args, '--quiet');
    const expected = { out, model: `${out}/checkpoints/step-1`, step: 1, interrupted: false, skipped: 0 };
    expect(result).toEqual({ ...expected, report: `${out}/report.html` });
  });

  it('go on with --resume, also from the run folder alone, and end as without a stop', async () => {
    const args = ['train', '--config', 'looprpt.json', '--set', 'checkpoint.every=2', '--set', 'checkpoint.keep=9'];
    await runJson(...args, '--out', 'runs/whole', '--quiet');
    await runJson(...args, '--out', 'runs/parts', '--quiet');
    rmSync('runs/parts/checkpoints/step-4', { recursive: true });
    const { model } = await runJson<{ model: string }>('train', '--resume', '--out', 'runs/parts', '--quiet');
    const weights = (run: string): Buffer => readFileSync(`${run}/checkpoints/step-4/model.safetensors`);
    expect(model).toBe('runs/parts/checkpoints/step-4');
    expect(weights('runs/parts').equals(weights('runs/whole'))).toBe(true);
  });

  it('--dry-run shows the plan and writes nothing', async () => {
    const there = readdirSync('runs');
    const plan = await runJson<{ parameters: { total: number }; memory: { total: number }; flops: { total: number } }>(
      'train',
      '--config',
      'looprpt.json',
      '--dry-run',
      '--out',
      'runs/dry',
    );
    expect(plan).toMatchObject({ config: { out: 'runs/dry', steps: 4 }, tokens: { perStep: 64, total: 256 } });
    expect(plan.memory.total).toBeGreaterThan(4 * plan.parameters.total);
    expect(plan.flops.total).toBeGreaterThan(0);
    const elsewhere = await runJson<{ config: object; memory: { checkpoint: number } }>(
      'train',
      '--config',
      'looprpt.json',
      '--dry-run',
      '--out',
      'runs/dry',
      '--device',
      'cuda:3',
    );
    expect(elsewhere).toMatchObject({ config: { device: 'cuda:3' }, memory: { checkpoint: 0 } });
    const { stdout } = await runCli('train', '--config', 'looprpt.json', '--dry-run', '--out', 'runs/dry');
    expect(stdout).toMatch(/^model:\n {2}from: runs\/base/);
    expect(stdout).toMatch(/\nmemory +about .*\nFLOPs /);
    expect(readdirSync('runs')).toEqual(there);
  });
});

describe('eval', () => {
  const HOP = ['--data', 'task:hop', '--count', '8'];
  const TASK = [...HOP, ...TINY_TASK];

  it('has the shape of cli.md and is kept in the run folder', async () => {
    const result = await runJson<object>('eval', '--model', 'runs/base', ...TASK, '--quiet');
    expect(EvalResultSchema.parse(result)).toEqual(result);
    expect(result).toMatchObject({
      model: 'runs/base',
      data: 'task:hop',
      tokens: 8 * 7,
      loops: 3,
      reference: 'runs/base',
    });
    expect(json('runs/base/eval.json')).toEqual(result);
  });

  it('judges difficulty by the model that a run started from, and compares with it', async () => {
    const taus = ['--thresholds', '0.25,0.75', '--buckets', '0.5,100'];
    const args = [
      'eval',
      '--model',
      'runs/looprpt',
      ...TASK,
      ...taus,
      '--compare',
      '--out',
      'compared.json',
      '--quiet',
    ];
    const result = await runJson<z.infer<typeof EvalResultSchema> & { comparisons: unknown[] }>(...args);
    expect(result.reference).toBe('runs/base/checkpoints/step-4');
    expect(result.thresholds).toEqual([0.5, 100]);
    expect(result.adaptive.map(({ tau }) => tau)).toEqual([0.25, 0.75]);
    expect(result.buckets.hard.tokens).toBe(0);
    const comparisons = z.array(ComparisonResultSchema).parse(result.comparisons);
    const ofLoop2 = comparisons.find(({ metric }) => metric === 'crossEntropy@2')!;
    const base = await runJson<z.infer<typeof EvalResultSchema>>('eval', '--model', 'runs/base', ...TASK, '--quiet');
    expect(ofLoop2.delta).toBeCloseTo(result.perLoop[1]!.crossEntropy - base.perLoop[1]!.crossEntropy, 5);
    expect(json('compared.json')).toEqual(result);
  });

  it('takes the settings of a task from the run, its checkpoint or its model, and says where another asks for others', async () => {
    const of = (model: string, ...rest: string[]) =>
      runJson<z.infer<typeof EvalResultSchema>>('eval', '--model', model, ...HOP, ...rest, '--quiet');
    const numbers = ({ perLoop, tokens, task }: z.infer<typeof EvalResultSchema>) => ({ perLoop, tokens, task });
    const explicit = numbers(await of('runs/base', ...TINY_TASK));
    expect(explicit.task).toMatchObject({ task: 'hop', symbols: 4, hops: 2, queries: 6, compact: true });
    expect(numbers(await of('runs/base'))).toEqual(explicit);
    // A run of a version before: only its configuration says.
    const checkpoint = 'runs/base/checkpoints/step-4';
    cpSync(checkpoint, 'copied', { recursive: true });
    renameSync(`${checkpoint}/trained-on.json`, 'put-by.json');
    expect(numbers(await of(checkpoint))).toEqual(explicit);
    renameSync('put-by.json', `${checkpoint}/trained-on.json`);
    expect(numbers(await of('copied'))).toEqual(explicit);

    const asked = ['eval', '--model', 'copied', '--data', 'task:hop', '--count', '2'];
    const { stderr } = await runCli(...asked, '--set', 'symbols=3');
    expect(stderr).toContain('warning: task:hop differs from what copied was trained on: symbols is 3, in training 4');
    writeFileSync('copied/trained-on.json', '{"task": {"task": "hop", "symbols": "four"}}');
    expect(await runCli(...asked)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^looprpt: copied\/trained-on\.json: task\.symbols: .*\n$/) as string,
    });
  });

  it('gives what the card of the shipped base says', async () => {
    const options = ['--model', HOP_BASE, '--data', 'task:hop', '--count', '60', '--quiet'];
    const { perLoop, tokens } = await runJson<z.infer<typeof EvalResultSchema>>('eval', ...options);
    expect(tokens).toBe(60 * 25);
    // 75.0 % of 12,500 on the card; 5.7 % with the task's defaults.
    expect(Math.abs(perLoop[3]!.accuracy - 0.75)).toBeLessThan(0.03);
  });

  it('reads shards, JSONL and text, to the same numbers', async () => {
    const common = ['--model-or-tokenizer', 'tokenizer', '--out', 'shards', '--quiet'];
    await runJson('data', 'prepare', '--input', 'hop.jsonl', ...common);
    const of = (data: string) =>
      runJson<z.infer<typeof EvalResultSchema>>('eval', '--model', 'runs/base', '--data', data, '--quiet');
    const [shards, jsonl] = [await of('shards'), await of('hop.jsonl')];
    // Six answers in each document, and its end.
    expect(shards.tokens).toBe(30 * 7);
    expect({ ...jsonl, data: 0, seconds: 0 }).toEqual({ ...shards, data: 0, seconds: 0 });
    writeFileSync('some.txt', 'map a b , b a ask a 1 b');
    expect((await of('some.txt')).tokens).toBeGreaterThan(5);
  });

  it('stops at --max-tokens', async () => {
    const args = ['eval', '--model', 'runs/base', ...TASK, '--quiet', '--max-tokens', '10', '--rows', '1'];
    const { tokens } = await runJson<{ tokens: number }>(...args);
    expect(tokens).toBeGreaterThanOrEqual(10);
    expect(tokens).toBeLessThan(8 * 7);
  });

  it('prints tables for people', async () => {
    const { code, stdout } = await runCli('eval', '--model', 'runs/base', ...TASK);
    expect(code).toBe(0);
    expect(stdout).toMatch(/tokens +count +loop 1 +loop 2 +loop 3 +frontier +gate area +cross-entropy/);
    expect(stdout).toMatch(/mean loops +exit 1/);
  });

  it('runs downstream tasks', async () => {
    writeFileSync('gsm.jsonl', '{"question": "a b", "answer": "b\\n#### 1"}\n');
    const args = ['eval', '--model', 'runs/base', '--tasks', 'gsm8k=gsm.jsonl', '--thresholds', '0.5'];
    const result = await runJson(...args, '--max-tokens', '4', '--quiet');
    expect(result).toMatchObject({ model: 'runs/base', loops: 3, tasks: [{ task: 'gsm8k', items: 1 }] });
    const { stdout } = await runCli(...args, '--max-tokens', '4', '--quiet');
    expect(stdout).toContain('gsm8k, 1 items');
  });
});

describe('lens', () => {
  const nested = (depth: number): z.ZodType => (depth === 0 ? z.number() : z.array(z.lazy(() => nested(depth - 1))));

  it('has the shape of cli.md', async () => {
    writeFileSync('ids.json', '[[1, 2, 3, 4], [5, 6, 7, 8]]');
    const result = await runJson<Record<string, never>>(
      'lens',
      '--model',
      'runs/base',
      '--ids',
      'ids.json',
      '--tau',
      '0.5',
      '--tau',
      '1e-1',
      '--top',
      '2',
      '--logits',
    );
    const shape = z.strictObject({
      model: z.literal('runs/base'),
      loops: z.literal(3),
      ids: nested(2),
      gateLogits: nested(3),
      exitPdf: nested(3),
      exitLoop: z.strictObject({ '0.5': nested(2), '1e-1': nested(2) }),
      entropy: nested(3),
      logprobs: nested(3),
      top: z.array(z.array(z.array(z.array(z.strictObject({ id: z.int(), token: z.string(), logprob: z.number() }))))),
      logits: nested(4),
    });
    expect(shape.parse(result)).toEqual(result);
    const sizes = (value: unknown): number[] => (Array.isArray(value) ? [value.length, ...sizes(value[0])] : []);
    expect(sizes(result.gateLogits)).toEqual([2, 4, 3]);
    expect(sizes(result.logprobs)).toEqual([2, 3, 3]);
    expect(sizes(result.top)).toEqual([2, 4, 3, 2]);
    expect(sizes(result.logits)).toEqual([2, 4, 3, 320]);
  });

  it('draws a table of a text', async () => {
    const { code, stdout } = await runCli('lens', '--model', 'runs/base', '--text', 'map a b', '--tau', '0.5');
    expect(code).toBe(0);
    expect(stdout).toMatch(/place +token +loop 1 +loop 2 +loop 3/);
    expect(stdout).toContain('exit at τ = 0.5');
  });
});

describe('generate', () => {
  const args = ['generate', '--model', 'runs/looprpt', '--prompt', 'map a b', '--max-tokens', '5', '--quiet'];

  it('has the shape of cli.md, and the same text as for people', async () => {
    const result = generatedTextSchema.strict().parse(await runJson(...args));
    expect(result.tokens.length).toBeLessThanOrEqual(5);
    expect(result.loops).toHaveLength(result.tokens.length);
    expect((await runCli(...args)).stdout).toBe(`${result.text}\n`);
    expect((await runCli(...args, '--stream')).stdout).toBe(`${result.text}\n`);
  });

  it('streams pieces that join to the text', async () => {
    const { stdout } = await runCli(...args, '--stream', '--json', '--temperature', '2', '--seed', '3');
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { text: string; loop?: number });
    const whole = lines.pop()!;
    expect(lines.map(({ text }) => text).join('')).toBe(whole.text);
    expect(lines.every(({ loop }) => loop !== undefined && loop >= 1 && loop <= 3)).toBe(true);
  });

  it('is the same for the same seed, and never takes more loops than it may', async () => {
    const drawn = (seed: string) =>
      runJson<z.infer<typeof generatedTextSchema>>(...args, '--temperature', '3', '--seed', seed, '--max-loops', '2');
    const [a, b] = [await drawn('1'), await drawn('1')];
    expect(a.tokens).toEqual(b.tokens);
    expect(new Set(a.loops)).toEqual(new Set([2]));
  });

  it('says on stderr how many loops it took, and knows chat', async () => {
    const { stderr } = await runCli(...args.slice(0, -1), '--chat', '--exit-threshold', '0.4');
    expect(stderr).toMatch(/tokens, \d\.\d\d of 3 loops on average/);
  });
});

describe('report', () => {
  it('makes a page of runs and of evaluations, and the same as JSON', async () => {
    await runJson('eval', '--model', 'runs/looprpt', '--data', 'hop.jsonl', '--compare', '--out', 'e.json', '--quiet');
    const figures = await runJson<{ figures: { id: string }[]; comparisons: object[]; command: string }>(
      'report',
      'runs/base',
      'runs/looprpt',
      'e.json',
      '--out',
      'page.html',
      '--title',
      'Both',
    );
    expect(figures.figures.length).toBeGreaterThan(3);
    expect(figures.comparisons.length).toBeGreaterThan(0);
    expect(figures.command).toMatch(/^looprpt report runs\/base runs\/looprpt e\.json --out page\.html --title Both/);
    expect(read('page.html')).toContain('<title>Both</title>');
  });
});
