#!/usr/bin/env node
/**
 * `npm run bench:generate`: decoding at full depth against decoding that leaves early, in the depth-adaptive engine, beside
 * plain batched decoding and the PyTorch peer in lab/peer on the same weights. A table first; the last line is one JSON object.
 */
import { Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { defaultThreads, prepareThreads } from 'looprpt/internal/base/threads.js';
import { UserError } from 'looprpt/internal/base/user-error.js';
import { assertWritable, writeWholeFile } from 'looprpt/internal/base/write-file.js';
import { integer } from 'looprpt/internal/cli/values.js';
import { MODELS } from './cases.js';

function numbers(min: number): (text: string) => number[] {
  return (text) =>
    text.split(',').map((part) => {
      const value = Number(part);
      if (part === '' || !(value >= min)) throw new InvalidArgumentError(`'${part}' is not a number from ${min}.`);
      return value;
    });
}

const known = MODELS.map(({ name }) => name);

function models(text: string): string[] {
  if (text === 'none') return [];
  const names = text.split(',');
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new InvalidArgumentError(`'${unknown}' is none of ${known.join(', ')}.`);
  return names;
}

const {
  out,
  models: names,
  trained,
  ouro,
  ouroFolder,
  ouroPrompt,
  ouroTokens,
  ...options
} = new Command('bench:generate')
  .description(
    'Times batched decoding at full depth, with early exits and with speculation over depth. About ten minutes on idle cores.',
  )
  .option('--models <names>', `of ${known.join(', ')}, or none`, models, ['0.1M', '2M', '12M'])
  .option('--batches <list>', 'sequences at once', numbers(1), [1, 8, 32])
  .option('--thresholds <list>', 'of the exit gate', numbers(0), [0.4, 0.6, 0.8, 0.95])
  .option('--prompt <n>', 'tokens of a prompt', integer(1), 32)
  .option('--tokens <n>', 'tokens that the fastest sequence makes (default: by model, 32 to 192)', integer(16))
  .option('--reps <n>', 'rounds; each runs everything once (default: by model, 3 to 5)', integer(1))
  .option('--temperature <t>', '0 is greedy', Number, 0.8)
  .option('--threads <n>', 'of each side', integer(1), defaultThreads(process.env))
  .option('--device <device>', 'of ours; the peer is measured on the CPU only', 'cpu')
  .option('--trained <folders>', 'trained models, for speculation and both caches; none: leave them out', (text) =>
    text.split(','),
  )
  .option('--warm-up <seconds>', 'of their speculation, before it is timed', integer(0), 3)
  .option(
    '--ouro <batches>',
    "also Ouro-1.4B's shape at these batches: some 8 GB on the disk and 10 GB of memory",
    numbers(1),
  )
  .option('--ouro-folder <path>', 'where its models are written and stay (default: a temporary folder)')
  .option('--ouro-tokens <n>', 'of each of its sequences', integer(3), 9)
  .option('--ouro-prompt <n>', 'tokens of its timed prompt; 0: none', integer(0), 300)
  .option('--no-peer', 'leave the PyTorch peer out')
  .option('--python <path>', 'the Python for the peer (default: one that has PyTorch)')
  .option('--out <file>', 'write the JSON there, too')
  .parse()
  .opts();

try {
  if (out !== undefined) assertWritable(out);
  // Before the engine is loaded.
  prepareThreads(process.env, options.threads);
  const { benchGenerate } = await import('./generate/run.js');
  const result = await benchGenerate({
    ...options,
    models: MODELS.filter(({ name }) => names.includes(name)),
    trained: trained?.join() === 'none' ? [] : trained,
    ouro:
      ouro === undefined ? undefined : { batches: ouro, folder: ouroFolder, prompt: ouroPrompt, tokens: ouroTokens },
  });
  if (out !== undefined) writeWholeFile(out, `${JSON.stringify(result)}\n`);
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`bench:generate: ${error.message}\n`);
  process.exitCode = 1;
}
