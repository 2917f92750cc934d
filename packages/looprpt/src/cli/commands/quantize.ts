/** `looprpt quantize`: a model's matrices as whole numbers, in a folder of their own. */
import { type CommandUnknownOpts, Option } from '@commander-js/extra-typings';
import { prepareEngine, requireEngine } from '../../base/prepare-engine.js';
import { type Cli, printJson, printLine, sayer } from '../../base/terminal/cli.js';
import { loadingLine } from '../../base/terminal/loading.js';
import { UserError } from '../../base/user-error.js';
import { newCommand } from '../command.js';

export function quantizeCommand(cli: Cli): CommandUnknownOpts {
  return newCommand(
    cli,
    'quantize',
    'Writes a model with its matrices as whole numbers of 8 or 4 bits, for serve, generate and eval on the CPU. Embedding, norms and gate stay as they are.',
    'npx looprpt quantize --model ByteDance/Ouro-1.4B --weights int4 --out ouro-int4',
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
      new Option('--group <n>', 'weights that share a scale (default: 64 with int8, 32 with int4)').choices([
        '32',
        '64',
        '128',
      ] as const),
    )
    .option('--zero-points', 'a zero point for each group, for weights that lie to one side of 0')
    .action(async ({ model, out, weights, group, zeroPoints = false, json = false, ...options }) => {
      if (options.device !== undefined && options.device !== 'cpu')
        throw new UserError(`--device ${options.device}: weights are quantised on the CPU`);
      if (options.dtype !== undefined) throw new UserError('--dtype: weights are read in the dtype that they have');
      const say = sayer(cli, options);
      requireEngine();
      await prepareEngine({ device: 'cpu', threads: options.threads });
      const { modelFolder } = await import('../../train/state/model-folder.js');
      const { quantiseModel } = await import('../../checkpoint/quantise-model.js');
      const { quantisationName, quantisationOf } = await import('../../checkpoint/quantisation.js');
      const settings = quantisationOf(weights, {
        group: group === undefined ? undefined : (Number(group) as 32 | 64 | 128),
        zeros: zeroPoints,
      });
      const onLoad = loadingLine({ stream: cli.stderr, quiet: options.quiet ?? false });
      const { from, to } = await quantiseModel(await modelFolder(model, say), out, settings, onLoad);
      const name = quantisationName(settings);
      if (json) printJson(cli, { out, format: name, bytesBefore: from, bytes: to });
      else printLine(cli, `${out}: ${name}, ${megabytes(to)} MB where there were ${megabytes(from)}`);
    });
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toPrecision(3);
}
