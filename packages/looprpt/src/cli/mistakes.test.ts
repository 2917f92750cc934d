/** What users get wrong: one line on stderr that helps, exit code 1, and nothing left behind. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { runCli, runJson, TINY_RUN, tinyProject } from '../../test-support/run-cli.js';
import type { Cli } from '../base/terminal/cli.js';
import { UserError } from '../base/user-error.js';
import { reportFailure } from './failure.js';

const before = process.cwd();
let folder = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'looprpt-mistakes-'));
  process.chdir(folder);
  await tinyProject(folder);
  await runJson('pretrain', '--config', 'base.json', '--set', 'steps=1', '--quiet');
  mkdirSync('empty');
  mkdirSync('weights-only');
  writeFileSync('empty.jsonl', '');
  writeFileSync('blank.txt', ' \n');
  writeFileSync('broken.yaml', 'steps: [1\n');
  writeFileSync('list.yaml', '- a\n');
  writeFileSync('broken.jsonl', '{"text": "a"}\n{"text": \n');
  writeFileSync('ragged.json', '[[1, 2], [3]]');
  writeFileSync('words.json', '["a"]');
  writeFileSync('large.json', '[[100000]]');
  writeFileSync('empty.yaml', '');
  writeFileSync('part.yaml', 'parts:\n  - { kind: named, name: imagenet }\n');
  writeFileSync('no-from.json', JSON.stringify({ ...TINY_RUN, out: 'runs/none', objective: { kind: 'gate' } }));
});

afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

/** Every path below a folder. */
const everything = (): string[] => readdirSync('.', { recursive: true }).map(String).sort();

const BASE = 'runs/base';
const PRETRAIN = 'pretrain --config base.json --out runs/new';
const TRAIN = 'train --config looprpt.json --out runs/new';

const MISTAKES: [command: string, message: RegExp][] = [
  ['evla', /unknown command 'evla' \(Did you mean eval\?\)/],
  ['eval --data hop.jsonl', /required option '--model <model>' not specified/],
  [`eval --model ${BASE} --dat hop.jsonl`, /unknown option '--dat' \(Did you mean --data\?\)/],
  [`eval --model ${BASE}`, /give either --data or --tasks/],
  [`eval --model ${BASE} --data nowhere`, /nowhere: no such file or folder/],
  [`eval --model ${BASE} --data empty.jsonl`, /empty\.jsonl: holds no text/],
  [`eval --model ${BASE} --data empty`, /empty: holds no file ending in/],
  [
    `eval --model ${BASE} --data hop.jsonl --rows -1`,
    /--rows <n>' argument '-1' is invalid. It must be a whole number/,
  ],
  [`eval --model ${BASE} --data hop.jsonl --thresholds 0.1,x`, /must be numbers between commas/],
  [`eval --model ${BASE} --data hop.jsonl --buckets 2,1`, /must be in ascending order/],
  [`eval --model ${BASE} --data hop.jsonl --compare`, /--compare needs --reference/],
  [`eval --model ${BASE} --data hop.jsonl --device gpu`, /It must be cpu, cuda or cuda:N/],
  [`eval --model ${BASE} --data hop.jsonl --dtype int8`, /Allowed choices are float32/],
  [`eval --model ${BASE} --data hop.jsonl --out nowhere/e.json`, /there is no folder nowhere/],
  [`eval --model ${BASE} --data task:hopp`, /no task 'hopp'/],
  [`eval --model ${BASE} --tasks gsm8k`, /'gsm8k' is not NAME=PATH/],
  ['eval --model empty --data hop.jsonl', /empty: no tokenizer\.json here/],
  ['eval --model runs/nothing --data hop.jsonl', /runs\/nothing: .*(no such folder|not in the Hub)/],
  ['lens --model empty --text a', /empty: no config\.json in this folder/],
  ['lens --model tokenizer --text a', /tokenizer: no config\.json in this folder/],
  [`lens --model ${BASE}`, /give either --text or --ids/],
  [`lens --model ${BASE} --ids nowhere.json`, /nowhere\.json: no such file or folder/],
  [`lens --model ${BASE} --ids ragged.json`, /rows must be equally long/],
  [`lens --model ${BASE} --ids words.json`, /words\.json, at \[0\]: must be a JSON array/],
  [`lens --model ${BASE} --ids hop.jsonl`, /hop\.jsonl: not JSON/],
  [`lens --model ${BASE} --ids large.json`, /100000 is not an id of the model's/],
  [`lens --model ${BASE} --text a --tau x`, /tau: 'x' is not a number/],
  [`lens --model ${BASE} --text a --logits`, /--logits are for --json/],
  [`generate --model ${BASE} --prompt a --max-loops 9`, /max loops: 9 is not a whole number from 1 to 3/],
  [`generate --model ${BASE} --prompt a --top-p 0`, /--top-p 0 leaves no token/],
  [`generate --model ${BASE} --prompt a --temperature hot`, /It must be a number/],
  [`eval --model ${BASE} --data hop.jsonl --set hops=2`, /--set hops=2: sets a generated task/],
  ['data make', /name a task/],
  ['data make hopp --out x.jsonl', /no task 'hopp'; there are: hop/],
  ['data make hop --out nowhere/x.jsonl', /there is no folder nowhere/],
  ['data make hop --out x.jsonl --set hops=x', /task 'hop', setting 'hops'/],
  ['data make hop --out x.jsonl --set hops', /write key=value/],
  ['data make hop --out x.jsonl --count 0', /It must be a whole number from 1/],
  ['data prepare --input hop.jsonl --model-or-tokenizer empty --out s', /empty: no tokenizer\.json here/],
  ['data prepare --input hop.jsonl --model-or-tokenizer tokenizer --out empty/../tokenizer', /exists and is not empty/],
  ['data prepare --model-or-tokenizer tokenizer --out s', /nothing to read: give --input/],
  ['data prepare --input blank.txt --model-or-tokenizer tokenizer --out s', /no text found/],
  ['data prepare --input broken.jsonl --model-or-tokenizer tokenizer --out s', /broken\.jsonl:2: /],
  [
    'data prepare --input hop.jsonl --model-or-tokenizer tokenizer --out s --field txt',
    /no field 'txt'; there are: text/,
  ],
  ['data prepare --input hop.jsonl --model-or-tokenizer tokenizer --out s --prompt x', /--prompt needs --completion/],
  [
    'data prepare --mixture empty.yaml --model-or-tokenizer tokenizer --out s',
    /empty\.yaml: is empty; a mixture needs/,
  ],
  [
    'data prepare --mixture nowhere.yaml --model-or-tokenizer tokenizer --out s',
    /no such file; --mixture takes a YAML/,
  ],
  ['data prepare --mixture empty --model-or-tokenizer tokenizer --out s', /empty: is a folder; --mixture takes/],
  ['data prepare --mixture part.yaml --model-or-tokenizer tokenizer --out s', /part\.yaml: parts\.0\.name: /],
  [
    'data prepare --mixture part.yaml --input hop.jsonl --model-or-tokenizer tokenizer --out s',
    /part\.yaml names its sources itself/,
  ],
  ['tokenizer train --input hop.jsonl --vocab 10 --out t', /vocabulary size 10: give at least 259/],
  ['tokenizer train --input empty.jsonl --vocab 300 --out t', /the input holds no text/],
  ['tokenizer train --input hop.jsonl --vocab 300 --out tokenizer', /tokenizer: exists and is not empty/],
  ['pretrain', /pretrain needs --config FILE/],
  ['pretrain base.json', /pretrain takes its configuration by name: --config base\.json/],
  ['pretrain --config base.json --out empty.jsonl', /empty\.jsonl: a file lies there, where a folder is needed/],
  ['pretrain --config nowhere.yaml', /nowhere\.yaml: no such file/],
  ['pretrain --config broken.yaml', /broken\.yaml:\d+:\d+: not YAML/],
  ['pretrain --config list.yaml', /list\.yaml: must be keys with values/],
  ['pretrain --config empty.jsonl', /empty\.jsonl: is empty/],
  [`${PRETRAIN} --set stpes=3`, /base\.json with --set: stpes: no such key; did you mean steps\?/],
  [`${PRETRAIN} --set steps`, /--set steps: write key=value/],
  [`${PRETRAIN} --set steps=-1`, /steps: too small/],
  [`${PRETRAIN} --set batch.rows=1.5`, /batch\.rows: /],
  [`${PRETRAIN} --set device=gpu`, /device: "gpu" is none of cpu/],
  [`${PRETRAIN} --set model.tokenizer=nowhere`, /nowhere: no tokenizer\.json here/],
  [`${PRETRAIN} --set model.architecture.heads=3`, /model\.architecture: the head size must be an even/],
  [`${PRETRAIN} --set data={shards:\u00a0nowhere}`, /nowhere: not a folder of token shards/],
  [
    `${PRETRAIN} --set objective.kind=looprpt`,
    /objective\.kind: looprpt improves a model that is there: use `looprpt train`/,
  ],
  ['pretrain --config no-from.json', /gate \(stage II\) trains the gate of a model that is there/],
  ['pretrain --config base.json', /runs\/base: holds a run already; --resume continues it/],
  ['pretrain --config base.json --resume --set batch.rows=3', /another .*batch/],
  ['train --config base.json --out runs/new', /train improves a model that is there: give model\.from/],
  [`${TRAIN} --set model.from=empty`, /empty: no config\.json/],
  [`${TRAIN} --set model.from=nobody/nothing`, /nobody\/nothing: /],
  ['train --resume --out runs/new', /no run to resume here/],
  ['report runs/none --out r.html', /runs\/none: no such run/],
  ['report empty --out r.html', /empty: not a run folder/],
  [`report ${BASE}`, /give --out FILE\.html, or --json/],
  [`report ${BASE} --out empty`, /empty: is a folder; name a file/],
  ['report hop.jsonl --out r.html', /hop\.jsonl: not JSON/],
];

test.each(MISTAKES)('looprpt %s', async (command, message) => {
  process.env.HF_HUB_OFFLINE = '1';
  const there = everything();
  const args = command.split(' ').map((word) => word.replaceAll('\u00a0', ' '));
  const { code, stdout, stderr } = await runCli(...args, '--quiet');
  expect(stderr).toMatch(message);
  expect(stderr).toMatch(/^looprpt: [^\n]*\n$/);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(everything()).toEqual(there);
});

describe('an error', () => {
  const failed = (error: unknown): { text: string; code: number } => {
    const stderr = new PassThrough();
    const cli: Cli = { stdout: new PassThrough(), stderr, args: [], exitCode: 0 };
    reportFailure(cli, error);
    return { text: String(stderr.read()), code: cli.exitCode };
  };

  it('of the user is one line, whatever its message', () => {
    expect(failed(new UserError('a\n  b'))).toEqual({ text: 'looprpt: a b\n', code: 1 });
  });

  it('of the system about a path is one line', () => {
    const error = Object.assign(new Error('EACCES: …'), { code: 'EACCES', path: '/root/x' });
    expect(failed(error)).toEqual({ text: 'looprpt: /root/x: no permission\n', code: 1 });
  });

  it('of memory says what needs less', () => {
    expect(failed(new Error('CUDA out of memory. Tried to allocate …'))).toMatchObject({ code: 1 });
  });

  it('of any other kind is ours, with its stack', () => {
    const { text, code } = failed(new TypeError('x is not a function'));
    expect(code).toBe(2);
    expect(text).toMatch(/^looprpt: this is a fault of ours.*\nTypeError: x is not a function\n {4}at /);
  });
});
