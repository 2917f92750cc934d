/** `looprpt blend`: how far from the start to the last weights a finished run predicts best. */
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { requireEngine } from '../../base/prepare-engine.js';
import { type Cli, printJson, printLine } from '../../base/terminal/cli.js';
import { UserError } from '../../base/user-error.js';
import { newCommand } from '../command.js';
import { documentOptions } from '../document-options.js';
import { integer, numbers, repeated } from '../values.js';

export function blendCommand(cli: Cli): CommandUnknownOpts {
  return newCommand(
    cli,
    'blend',
    'Chooses the interpolation weight of a finished run on tuning text. Tries shares of the way from the start to the last weights, keeps the one with the largest frontier as RUN/model, and says so where the start itself is best. No training step is made; report what it chose on other text.',
    'npx looprpt blend runs/hop-looprpt --data task:hop',
  )
    .argument('<run>', 'a folder of a finished run that started from a model')
    .requiredOption('--data <path>', 'tuning text: shards, JSONL, JSON, Parquet or text, or task:NAME')
    .option('--shares <list>', 'shares to try, between commas (default: 0,0.05,0.15,0.3,0.5,0.75,1)', numbers())
    .option('--max-tokens <n>', 'stop after so many counted tokens', integer(1))
    .option('--count <n>', 'documents of task:NAME', integer(1), 500)
    .option('--set <key=value>', 'a setting of task:NAME, in YAML (repeatable)', repeated)
    .addOption(documentOptions.dataset)
    .addOption(documentOptions.split)
    .addOption(documentOptions.field)
    .addOption(documentOptions.prompt)
    .addOption(documentOptions.completion)
    .addOption(documentOptions.wholeLoss)
    .addOption(documentOptions.textSplit)
    .addOption(documentOptions.onBroken)
    .action(async (run, { shares, json = false, ...options }) => {
      for (const share of shares ?? [])
        if (!(share >= 0 && share <= 1)) throw new UserError(`--shares: ${share} is no share from 0 to 1`);
      requireEngine();
      const { blendRun, blendText } = await import('../run-blend.js');
      const result = await blendRun(cli, run, { ...options, shares });
      if (json) printJson(cli, result);
      else printLine(cli, blendText(result, cli.stdout.isTTY ?? false));
    });
}
