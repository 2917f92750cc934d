/**
 * lm-evaluation-harness itself, run against a server of ours: its own tasks, with the records read from local files in place of
 * the Hub's. Never imported by the product.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { HARNESS_TASKS, type HarnessTask, type Records } from './records.js';

export interface Harness {
  python: string;
  version: string;
  /** The folder of its tasks. */
  tasks: string;
}

/** What it reports; WinoGrande and MMLU have no normalised score. */
export type HarnessScores = Record<HarnessTask, { acc: number; accNorm: number | null }>;

/** The files of the harness's tasks that ours are made from. */
const SOURCES: Record<HarnessTask, string> = {
  arc_challenge: 'arc/arc_challenge.yaml',
  hellaswag: 'hellaswag/hellaswag.yaml',
  winogrande: 'winogrande/default.yaml',
  mmlu: 'mmlu/default/mmlu_high_school_physics.yaml',
};

/** @returns null where this Python has no lm-evaluation-harness, or there is no such Python */
export function findHarness(python = process.env.LM_EVAL_PYTHON ?? 'python3'): Harness | null {
  const script =
    'import importlib.metadata, importlib.util, pathlib; import requests, aiohttp, tenacity; ' +
    'print(importlib.metadata.version("lm_eval"), pathlib.Path(importlib.util.find_spec("lm_eval").origin).parent, sep="\\n")';
  const { status, stdout } = spawnSync(python, ['-c', script], { encoding: 'utf8' });
  if (status !== 0) return null;
  const [version, folder] = stdout.trim().split('\n') as [string, string];
  return { python, version, tasks: join(folder, 'tasks') };
}

/** Writes a file of records for each task. @returns their paths */
export function writeRecords(folder: string, records: Records): Record<HarnessTask, string> {
  mkdirSync(folder, { recursive: true });
  const written = HARNESS_TASKS.map((task) => {
    const path = join(folder, `${task}.jsonl`);
    writeFileSync(path, records[task].map((record) => `${JSON.stringify(record)}\n`).join(''));
    return [task, path];
  });
  return Object.fromEntries(written) as Record<HarnessTask, string>;
}

export interface HarnessRun {
  /** Of the server, without a path. */
  url: string;
  model: string;
  files: Record<HarnessTask, string>;
  /** For what the harness writes. */
  folder: string;
  /** Beside the server's URL and the model: `tokenizer_backend=remote`, … */
  modelArgs?: readonly string[];
}

/** @throws Error with what it said, where it fails */
export async function runHarness(harness: Harness, run: HarnessRun): Promise<HarnessScores> {
  const tasks = join(run.folder, 'tasks');
  mkdirSync(tasks, { recursive: true });
  for (const task of HARNESS_TASKS)
    writeFileSync(join(tasks, `${task}.yaml`), localTask(harness, task, run.files[task]));
  const out = join(run.folder, 'out');
  const modelArgs = [`base_url=${run.url}/v1/completions`, `model=${run.model}`, ...(run.modelArgs ?? [])].join(',');
  const args = ['-m', 'lm_eval', '--model', 'local-completions', '--model_args', modelArgs];
  args.push('--include_path', tasks, '--tasks', HARNESS_TASKS.map(localName).join(','), '--output_path', out);
  await promisify(execFile)(harness.python, args, { env: offline(run.folder), maxBuffer: 2 ** 26 });
  return scoresIn(out);
}

/** The harness's own task on other records. */
function localTask({ tasks }: Harness, task: HarnessTask, file: string): string {
  const source = { include: join(tasks, SOURCES[task]), task: localName(task), tag: null };
  const splits = { training_split: null, validation_split: null, test_split: 'test', fewshot_split: null };
  const data = { dataset_path: 'json', dataset_name: null, dataset_kwargs: { data_files: { test: file } } };
  return JSON.stringify({ ...source, ...splits, ...data });
}

function localName(task: HarnessTask): string {
  return `local_${task}`;
}

/** Nothing is fetched, and what the harness keeps stays in the folder. */
function offline(folder: string): NodeJS.ProcessEnv {
  const env = { ...process.env, HF_HUB_OFFLINE: '1', HF_DATASETS_OFFLINE: '1', HF_HOME: join(folder, 'home') };
  return { ...env, OMP_NUM_THREADS: '1', TOKENIZERS_PARALLELISM: 'false' };
}

const report = z.object({
  results: z.record(z.string(), z.looseObject({ 'acc,none': z.number(), 'acc_norm,none': z.number().optional() })),
});

function scoresIn(out: string): HarnessScores {
  const [file] = readdirSync(out, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /results_.*\.json$/.test(name),
  );
  const { results } = report.parse(JSON.parse(readFileSync(join(out, file!), 'utf8')));
  const scores = HARNESS_TASKS.map((task) => {
    const { 'acc,none': acc, 'acc_norm,none': accNorm = null } = results[localName(task)]!;
    return [task, { acc, accNorm }];
  });
  return Object.fromEntries(scores) as HarnessScores;
}
