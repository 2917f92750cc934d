#!/usr/bin/env node
/**
 * `npm run bench:quantised`: what weights as whole numbers cost in quality, on the bases of this repository. A table first; the last
 * line is one JSON object. With `--publish` both are written where docs/reference/quantised-weights.md has them.
 */
import { Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { prepareThreads } from 'looprpt/internal/base/threads.js';
import { UserError } from 'looprpt/internal/base/user-error.js';
import { writeWholeFile } from 'looprpt/internal/base/write-file.js';
import { integer } from 'looprpt/internal/cli/values.js';

function gsm8kPath(text: string): string {
  const [, path] = /^gsm8k=(.+)$/.exec(text) ?? [];
  if (path === undefined) throw new InvalidArgumentError(`'${text}' is not of the form gsm8k=PATH.`);
  return path;
}

const { threads, out, publish, input, ...options } = new Command('bench:quantised')
  .description(
    "Measures what quantised weights cost in quality. Five minutes of a core; the models' own data, held out.",
  )
  .option(
    '--input <gsm8k=path>',
    "GSM8K's file or folder, for math-large-base (default: that one is left out)",
    gsm8kPath,
  )
  .option('--only <model>', 'one model: hop-base, math-base or math-large-base')
  .option('--seed <n>', 'of the generated documents', integer(0), 1)
  .option('--count <n>', 'documents of each model (default: 2000, 400, 120)', integer(1))
  .addOption(
    new Option('--split <split>', 'tune: other documents than the published ones, to choose settings by')
      .choices(['heldout', 'tune'] as const)
      .default('heldout' as const),
  )
  .option('--resamples <n>', 'of the bootstrap', integer(1), 1000)
  .option('--threads <n>', 'of libtorch', integer(1), 1)
  .option('--out <file>', 'write the JSON there')
  .option('--publish', 'write the committed JSON and the table of the documentation')
  .parse()
  .opts();

// Before the engine is loaded.
prepareThreads(process.env, threads);
const { benchQuantised } = await import('./quantised/run.js');
const { publishQuantised } = await import('./quantised/page.js');
const { quantisedTable } = await import('./quantised/table.js');
try {
  if (publish && (options.split !== 'heldout' || input === undefined || options.only !== undefined))
    throw new UserError(
      '--publish: is for all models on held-out documents; give --input gsm8k=PATH, and neither --split nor --only',
    );
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const result = await benchQuantised({ ...options, gsm8k: input }, say);
  process.stdout.write(`${quantisedTable(result)}\n`);
  const json = JSON.stringify(result);
  process.stdout.write(`${json}\n`);
  if (out !== undefined) writeWholeFile(out, `${json}\n`);
  if (publish) publishQuantised(result);
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`bench:quantised: ${error.message}\n`);
  process.exitCode = 1;
}
