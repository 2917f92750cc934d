/** `looprpt quantize`: a model's matrices as whole numbers, in a folder of their own. */
import { type CommandUnknownOpts, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { requireEngine } from '../../base/prepare-engine.js';
import { type Cli, printJson, printLine } from '../../base/terminal/cli.js';
import { UserError } from '../../base/user-error.js';
import type { MatrixKind } from '../../checkpoint/quantisation.js';
import { newCommand } from '../command.js';
import { documentOptions } from '../document-options.js';
import { integer, repeated } from '../values.js';

export function quantizeCommand(cli: Cli): CommandUnknownOpts {
  return newCommand(
    cli,
    'quantize',
    'Writes a model with its matrices as whole numbers of 8 or 4 bits, for serve, generate and eval on the CPU. Embedding, norms and gate stay as they are.',
    'npx looprpt quantize --model ByteDance/Ouro-1.4B --weights int4 --calibrate texts.jsonl --out ouro-int4',
  )
    .requiredOption(
      '--model <model>',
      'a model folder, a Hub id or a run folder (its blended model or newest checkpoint)',
    )
    .requiredOption('--out <folder>', 'where it is written; must not exist, or be empty')
    .addOption(
      new Option('--weights <format>', 'bits of a weight').choices(['int8', 'int4'] as const).makeOptionMandatory(),
    )
    .addOption(
      new Option('--group <n>', 'weights that share a scale (default: 32)').choices(['32', '64', '128'] as const),
    )
    .option('--zero-points', 'a zero point for each group, for weights that lie to one side of 0')
    .option('--keep-int8 <list>', 'with int4: matrices that have 8 bits, of qkv, out, gate-up, down, head', kinds)
    .option(
      '--calibrate <path>',
      'text by which rounding makes up for its errors: shards, JSONL, JSON, Parquet or text, or task:NAME',
    )
    .option('--calibration-tokens <n>', 'the first so many tokens of it', integer(1), 32_768)
    .option(
      '--fit-passes <n>',
      'passes of it in which scales, norms and gate are fitted, by gradient steps',
      integer(0),
      0,
    )
    .option('--count <n>', 'with --calibrate task:NAME: documents at most', integer(1), 500)
    .option('--set <key=value>', 'a setting of task:NAME, in YAML (repeatable)', repeated)
    .addOption(documentOptions.dataset)
    .addOption(documentOptions.split)
    .addOption(documentOptions.field)
    .addOption(documentOptions.prompt)
    .addOption(documentOptions.completion)
    .addOption(documentOptions.wholeLoss)
    .addOption(documentOptions.textSplit)
    .addOption(documentOptions.onBroken)
    .action(async ({ model, weights, group, zeroPoints = false, keepInt8, json = false, ...options }, command) => {
      if (options.device !== undefined && options.device !== 'cpu')
        throw new UserError(`--device ${options.device}: weights are quantised on the CPU`);
      if (options.dtype !== undefined) throw new UserError('--dtype: weights are read in the dtype that they have');
      if (keepInt8 !== undefined && weights === 'int8') throw new UserError('--keep-int8: is for --weights int4');
      if (options.calibrate === undefined) assertNoTextOptions(command);
      requireEngine();
      const { quantisationOf } = await import('../../checkpoint/quantisation.js');
      const { runQuantize } = await import('../run-quantize.js');
      const settings = quantisationOf(weights, {
        group: group === undefined ? undefined : (Number(group) as 32 | 64 | 128),
        zeros: zeroPoints,
        int8: keepInt8,
      });
      const outcome = await runQuantize(cli, model, settings, options);
      if (json) {
        printJson(cli, outcome);
        return;
      }
      const { out, format, bytes, bytesBefore, calibration } = outcome;
      const fitted = calibration && calibration.fitPasses > 0 ? ' and fitted' : '';
      const on = calibration ? `, calibrated${fitted} on ${calibration.tokens.toLocaleString('en-US')} tokens` : '';
      printLine(cli, `${out}: ${format}${on}, ${megabytes(bytes)} MB where there were ${megabytes(bytesBefore)}`);
    });
}

const KINDS = ['qkv', 'out', 'gate-up', 'down', 'head'] as const satisfies readonly MatrixKind[];

function kinds(list: string): MatrixKind[] {
  const names = list.split(',');
  for (const name of names)
    if (!KINDS.some((kind) => kind === name))
      throw new InvalidArgumentError(`'${name}' is none of ${KINDS.join(', ')}.`);
  return KINDS.filter((kind) => names.includes(kind));
}

/** What says how text is read needs text. */
function assertNoTextOptions(command: CommandUnknownOpts): void {
  const given = [...Object.values(documentOptions), 'count', 'set', 'calibrationTokens', 'fitPasses'].map((option) =>
    typeof option === 'string' ? option : option.attributeName(),
  );
  const first = command.options.find(
    (option) =>
      given.includes(option.attributeName()) && command.getOptionValueSource(option.attributeName()) === 'cli',
  );
  if (first) throw new UserError(`${first.long}: is for text; give --calibrate too`);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toPrecision(3);
}
