/** `looprpt eval`: next-token evaluation on text, or downstream tasks. */
import { join } from 'node:path';
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { requireEngine } from '../../base/prepare-engine.js';
import { type Cli, printJson, printLine, sayer } from '../../base/terminal/cli.js';
import { loadingLine } from '../../base/terminal/loading.js';
import { UserError } from '../../base/user-error.js';
import { assertWritable, writeWholeFile } from '../../base/write-file.js';
import { isRunFolder, startOfRun } from '../../train/state/model-folder.js';
import { newCommand } from '../command.js';
import { documentOptions } from '../document-options.js';
import { integer, numbers, repeated } from '../values.js';
import { weightsOption } from '../weights-option.js';

/** The evaluation that lies in a run folder, where `report` finds it. */
const EVAL_FILE = 'eval.json';

export function evalCommand(cli: Cli): CommandUnknownOpts {
  return newCommand(
    cli,
    'eval',
    'Evaluates a model on text or on downstream tasks. On text: after every loop, at a sweep of exit thresholds, by difficulty. The result of a run folder is kept in it as eval.json, for report.',
    'npx looprpt eval --model runs/hop-looprpt --data task:hop --reference runs/hop-base --compare',
  )
    .requiredOption(
      '--model <model>',
      'a model folder, a Hub id or a run folder (its blended model or newest checkpoint)',
    )
    .option(
      '--data <path>',
      'a folder of shards, JSONL, JSON, Parquet or text, or task:NAME for held-out generated problems',
    )
    .option(
      '--tasks <list>',
      'NAME=FILE between commas, for example gsm8k=test.jsonl, a file as the benchmark is published; NAME.examples=FILE for solved ones',
    )
    .option('--out <file>', 'write the JSON here too')
    .option('--thresholds <list>', 'exit thresholds τ between commas', numbers())
    .option(
      '--buckets <list>',
      'entropies in nats at which easy and medium end (default: thirds)',
      numbers({ count: 2, ascending: true }),
    )
    .option(
      '--reference <model>',
      "whose entropy tells easy from hard (default: a run's starting model, else the model)",
    )
    .option(
      '--compare',
      'differences of the model minus the reference, with paired bootstrap intervals over documents (from 20 on)',
    )
    .option('--max-tokens <n>', 'stop after so many counted tokens; with --tasks: longest solution', integer(1))
    .option('--count <n>', 'documents of task:NAME', integer(1), 500)
    .option(
      '--set <key=value>',
      'a setting of task:NAME, in YAML (repeatable); others are as the model was trained',
      repeated,
    )
    .option('--sequence-length <n>', 'tokens of a row (default: the longest document, at most 1024)', integer(1))
    .option('--rows <n>', 'rows of a batch (default: about 4096 tokens, and no more rows than documents)', integer(1))
    .option('--shots <n>', 'with --tasks: solved examples in a prompt', integer(0))
    .option('--limit <n>', 'with --tasks: only the first items of each', integer(1))
    .addOption(documentOptions.dataset)
    .addOption(documentOptions.split)
    .addOption(documentOptions.field)
    .addOption(documentOptions.prompt)
    .addOption(documentOptions.completion)
    .addOption(documentOptions.wholeLoss)
    .addOption(documentOptions.textSplit)
    .addOption(documentOptions.onBroken)
    .addOption(weightsOption())
    .option('--dry-run', 'with --data: print what weights and batches take, and stop; nothing is loaded')
    .action(async (given) => {
      const onLoad = loadingLine({ stream: cli.stderr, quiet: given.quiet ?? false });
      const options = { ...given, readOnly: true, onLoad };
      const { data, tasks, out } = options;
      if ((data === undefined) === (tasks === undefined)) throw new UserError('eval: give either --data or --tasks');
      if (tasks !== undefined && options.dryRun)
        throw new UserError('--dry-run: is for --data; leave it or --tasks out');
      if (out !== undefined && !options.dryRun) assertWritable(out);
      requireEngine();
      const say = sayer(cli, options);
      if (tasks !== undefined) {
        const { evaluateTasks, tasksTables } = await import('../task-evaluation.js');
        const result = await evaluateTasks(cli, { ...options, onMessage: say, tasks });
        if (out !== undefined) writeWholeFile(out, `${JSON.stringify(result)}\n`);
        if (options.json) printJson(cli, result);
        else printLine(cli, tasksTables(result, cli.stdout.isTTY ?? false));
        return;
      }
      const { judge } = await import('../../eval/judge.js');
      const { heldOutOf } = await import('../held-out.js');
      const { evaluationTables } = await import('../evaluation-tables.js');
      const { tally } = await import('../../base/terminal/tally.js');
      const judged = {
        ...options,
        onMessage: say,
        data: heldOutOf({ ...options, data: data! }),
        dataName: data!,
        compareWith: options.compare ? comparedWith(options) : undefined,
        buckets: options.buckets as [number, number] | undefined,
      };
      if (options.dryRun) {
        const { printEvaluationPlan } = await import('../evaluation-plan.js');
        await printEvaluationPlan(cli, options.model, judged, { json: options.json ?? false });
        return;
      }
      const counter = tally('evaluated', { stream: cli.stderr, quiet: options.quiet ?? false });
      let last = '';
      const result = await judge(options.model, {
        ...judged,
        onProgress: (model, tokens) => {
          last = `${model}, ${tokens.toLocaleString('en-US')} tokens`;
          counter.update(last);
        },
      });
      counter.done(last);
      const text = `${JSON.stringify(result)}\n`;
      if (out !== undefined) writeWholeFile(out, text);
      if (isRunFolder(options.model)) writeWholeFile(join(options.model, EVAL_FILE), text);
      if (options.json) printJson(cli, result);
      else printLine(cli, evaluationTables(result, cli.stdout.isTTY ?? false));
    });
}

/** Of a run, by default, the model that it started from. */
function comparedWith({
  model,
  reference = startOfRun(model) ?? model,
}: {
  model: string;
  reference?: string;
}): string {
  if (reference === model) throw new UserError('--compare needs --reference MODEL to compare with');
  return reference;
}
