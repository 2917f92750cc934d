#!/usr/bin/env node
/**
 * `npm run bench:policies`: what the decoder's cache policies cost in quality, on bases whose tasks need depth. Tables first; the
 * last line is one JSON object. docs/design/decoding.md says what came out.
 */
import { Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { defaultThreads, prepareThreads } from 'looprpt/internal/base/threads.js';
import { UserError } from 'looprpt/internal/base/user-error.js';
import { assertWritable, writeWholeFile } from 'looprpt/internal/base/write-file.js';
import { integer } from 'looprpt/internal/cli/values.js';

interface BaseCase {
  model: string;
  recipe: string;
}

const HOP_BASE: BaseCase = { model: 'packages/looprpt/models/hop-base', recipe: 'recipes/hop-base.yaml' };

function base(text: string, before: BaseCase[] | undefined): BaseCase[] {
  const [model, recipe, ...rest] = text.split('=');
  if (!model || !recipe || rest.length > 0)
    throw new InvalidArgumentError(`'${text}' is not of the form MODEL=RECIPE.`);
  return [...(before ?? []), { model, recipe }];
}

function shares(text: string): number[] {
  return text.split(',').map((part) => {
    const value = Number(part);
    if (part === '' || !(value >= 0 && value <= 1)) throw new InvalidArgumentError(`'${part}' is not from 0 to 1.`);
    return value;
  });
}

const {
  threads,
  seeds,
  out,
  base: bases,
  ...options
} = new Command('bench:policies')
  .description("Measures the cache policies' cost in quality. About a minute for a small base.")
  .option('--base <model=recipe>', 'a base, and the recipe that names its task (repeatable; default: hop-base)', base)
  .option('--thresholds <list>', 'of the exit gate, beside all loops', shares, [0.3, 0.5, 0.7, 0.9])
  .option('--seeds <n>', 'of the held-out documents, from 0', integer(1), 3)
  .option('--count <n>', 'documents of each seed', integer(1), 100)
  .option('--threads <n>', 'of libtorch', integer(1), defaultThreads(process.env))
  .option('--out <file>', 'write the JSON there, too')
  .parse()
  .opts();

// Before the engine is loaded.
prepareThreads(process.env, threads);
const { benchPolicies } = await import('./policies/run.js');
const { policyTable } = await import('./policies/table.js');
try {
  if (out !== undefined) assertWritable(out);
  const chosen = { ...options, seeds: Array.from({ length: seeds }, (_, seed) => seed) };
  const results = await benchPolicies({ ...chosen, bases: bases ?? [HOP_BASE] });
  for (const result of results) process.stdout.write(`${policyTable(result)}\n\n`);
  const json = JSON.stringify({ bench: 'policies', settings: chosen, results });
  process.stdout.write(`${json}\n`);
  if (out !== undefined) writeWholeFile(out, `${json}\n`);
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`bench:policies: ${error.message}\n`);
  process.exitCode = 1;
}
