/** `looprpt lens`: what every loop knows about every token. */
import { readFileSync } from 'node:fs';
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { z } from 'zod';
import { requireEngine } from '../../base/prepare-engine.js';
import { type Cli, printJson, printLine, sayer } from '../../base/terminal/cli.js';
import { loadingLine } from '../../base/terminal/loading.js';
import { UserError } from '../../base/user-error.js';
import type { Tokenizer } from '../../text/tokenizer.js';
import { newCommand } from '../command.js';
import { integer, repeated } from '../values.js';
import { weightsOption } from '../weights-option.js';

const idsSchema = z.array(z.array(z.int().nonnegative()));

export function lensCommand(cli: Cli): CommandUnknownOpts {
  return newCommand(
    cli,
    'lens',
    'Shows what every loop knows about every token. Likeliest next tokens, log-probabilities of the true ones, gate and exits, for a short text.',
    'npx looprpt lens --model runs/hop-looprpt --text "a b c" --tau 0.5 --tau 0.9',
  )
    .requiredOption(
      '--model <model>',
      'a model folder, a Hub id or a run folder (its blended model or newest checkpoint)',
    )
    .option('--text <text>', 'one text')
    .option('--ids <file>', 'instead of a text: a JSON array of equally long arrays of token ids')
    .option('--tau <τ>', 'a threshold of the exit rule (repeatable)', repeated)
    .option('--top <n>', 'likeliest next tokens of each position and loop', integer(0), 5)
    .option('--logits', 'all logits, with --json')
    .addOption(weightsOption())
    .action(async ({ text, ids, tau = [], top, logits = false, json = false, ...options }) => {
      if ((text === undefined) === (ids === undefined)) throw new UserError('lens: give either --text or --ids');
      if (logits && !json) throw new UserError('lens: --logits are for --json; without it only a table is shown');
      const rows = ids === undefined ? null : readIds(ids);
      const say = sayer(cli, options);
      requireEngine();
      const { openModel } = await import('../../train/state/open-model.js');
      const { lens } = await import('../../eval/lens.js');
      using opened = await openModel(options.model, {
        ...options,
        readOnly: true,
        onLoad: loadingLine({ stream: cli.stderr, quiet: options.quiet ?? false }),
        onMessage: say,
      });
      const tokenizer = opened.tokenizerIfAny;
      const tokenText = tokenizer === null ? undefined : (id: number): string => tokenizer.decode([id]);
      const result = lens(opened.lm, rows ?? [await encoded(text!, tokenizer, options.model)], {
        name: options.model,
        taus: tau,
        top: json ? top : Math.max(1, top),
        logits,
        ...(tokenText ? { tokenText } : {}),
      });
      if (json) {
        printJson(cli, result);
        return;
      }
      const { renderLens } = await import('../../eval/lens-table.js');
      const color = cli.stdout.isTTY ?? false;
      result.ids.forEach((_, row) => {
        printLine(cli, renderLens(result, { row, color, ...(tokenText ? { tokenText } : {}) }));
      });
    });
}

function readIds(path: string): number[][] {
  const text = readFileSync(path, 'utf8');
  const wanted = 'must be a JSON array of equally long arrays of token ids, such as [[1, 2, 3]]';
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new UserError(`${path}: not JSON; it ${wanted}`);
  }
  const parsed = idsSchema.safeParse(json);
  if (!parsed.success) {
    const where = parsed.error.issues[0]!.path.map((step) => `[${String(step)}]`).join('');
    throw new UserError(`${path}${where ? `, at ${where}` : ''}: ${wanted}`);
  }
  return parsed.data;
}

async function encoded(text: string, tokenizer: Tokenizer | null, model: string): Promise<number[]> {
  if (tokenizer === null) throw new UserError(`${model}: has no tokenizer.json, so --text cannot be read; give --ids`);
  const ids = await tokenizer.encode(text);
  if (ids.length === 0) throw new UserError('--text: is empty; give some text');
  return Array.from(ids);
}
