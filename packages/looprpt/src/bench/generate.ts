#!/usr/bin/env node
/**
 * `npm run bench:generate`: decoding at full depth against decoding that leaves early, in the depth-adaptive engine, beside
 * plain batched decoding and the PyTorch peer in bench/peer on the same weights. A table first; the last line is one JSON object.
 */
import { Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { defaultThreads, prepareThreads } from '../cli/threads.js';
import { integer } from '../cli/values.js';
import { MODELS } from './cases.js';

function numbers(min: number): (text: string) => number[] {
  return (text) =>
    text.split(',').map((part) => {
      const value = Number(part);
      if (part === '' || !(value >= min)) throw new InvalidArgumentError(`'${part}' is not a number from ${min}.`);
      return value;
    });
}

const names = MODELS.map(({ name }) => name);
const options = new Command('bench:generate')
  .description('Times batched decoding at full depth and with early exits. Some minutes on idle cores.')
  .option('--model <name>', `of ${names.join(', ')}`, '2M')
  .option('--batches <list>', 'sequences at once', numbers(1), [1, 8, 32])
  .option('--thresholds <list>', 'of the exit gate', numbers(0), [0.4, 0.6, 0.8, 0.95])
  .option('--prompt <n>', 'tokens of a prompt', integer(1), 32)
  .option('--tokens <n>', 'tokens that the fastest sequence makes', integer(2), 96)
  .option('--reps <n>', 'rounds; each runs everything once', integer(1), 5)
  .option('--temperature <t>', '0 is greedy', Number, 0.8)
  .option('--threads <n>', 'of each side', integer(1), defaultThreads(process.env))
  .option('--no-peer', 'leave the PyTorch peer out')
  .option('--python <path>', 'the Python for the peer (default: one that has PyTorch)')
  .parse()
  .opts();

const model = MODELS.find(({ name }) => name === options.model);
if (model) {
  // Before the engine is loaded.
  prepareThreads(process.env, options.threads);
  const { benchGenerate } = await import('./generate/run.js');
  await benchGenerate({ ...options, model });
} else {
  process.stderr.write(`bench:generate: '${options.model}' is none of ${names.join(', ')}\n`);
  process.exitCode = 1;
}
