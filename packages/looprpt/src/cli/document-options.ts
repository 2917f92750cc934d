/** The options that say how files become documents, for every command that reads text. */
import { Option } from '@commander-js/extra-typings';
import { explainConfigError } from '../base/settings/config-error.js';
import { readSettings } from '../base/settings/config-file.js';
import { UserError } from '../base/user-error.js';
import type { NamedSource } from '../data/documents/named.js';
import { type DocumentSourceConfig, mixtureSourceSchema } from '../data/documents/source.js';

const DATASETS = ['gsm8k', 'omni-math', 'math'] as const satisfies readonly NamedSource['name'][];
const SPLITS = ['train', 'heldout'] as const satisfies readonly NamedSource['split'][];

/** Options for a command, in the order of its help. */
export const documentOptions = {
  dataset: new Option(
    '--dataset <name>',
    'the text is a data set known by name: its file or folder, or the Hub where no path is given',
  ).choices(DATASETS),
  mixture: new Option(
    '--mixture <file>',
    'a YAML file whose `parts` are several sources: files, data sets known by name, generated tasks',
  ),
  split: new Option('--split <split>', "which part of a --dataset; gsm8k's test and MATH-500 are held out")
    .choices(SPLITS)
    .default('train' as const),
  field: new Option('--field <name>', 'the field of a record that holds the text').default('text'),
  prompt: new Option(
    '--prompt <template>',
    'with --completion: what comes first, for example "Question: {question}\\nAnswer:"',
  ),
  completion: new Option('--completion <template>', 'a text put together from fields, for example " {answer}"'),
  wholeLoss: new Option('--whole-loss', 'prompts count in the loss too, not completions alone'),
  textSplit: new Option(
    '--text-split <how>',
    'a text file is one document, or one for each stretch between blank lines',
  )
    .choices(['file', 'blank-lines'])
    .default('file' as const),
  onBroken: new Option('--on-broken <what>', 'a record that cannot be read stops the job, or is left out and counted')
    .choices(['stop', 'skip'])
    .default('stop' as const),
};

export interface DocumentOptions {
  input?: string[];
  dataset?: NamedSource['name'];
  mixture?: string;
  split?: NamedSource['split'];
  field: string;
  prompt?: string;
  completion?: string;
  wholeLoss?: true;
  textSplit: 'file' | 'blank-lines';
  onBroken: 'stop' | 'skip';
}

/** @throws UserError when the options contradict each other or name nothing to read */
export function documentSource(options: DocumentOptions): DocumentSourceConfig {
  const { input = [], dataset, split = 'train', onBroken, textSplit } = options;
  const maskPrompt = options.wholeLoss !== true;
  if (options.mixture !== undefined) {
    if (input.length > 0 || dataset !== undefined)
      throw new UserError(`--mixture ${options.mixture} names its sources itself: leave out --input and --dataset`);
    return mixtureSource(options.mixture);
  }
  if (dataset !== undefined) {
    if (input.length > 1)
      throw new UserError(`--dataset ${dataset} takes one --input, the folder or file of the data set`);
    const [path] = input;
    const place = path === undefined ? {} : { path };
    const rest = { part: 'all', revision: 'main', maskPrompt, calculator: 'remove', onBroken } as const;
    return { kind: 'named', name: dataset, split, ...place, ...rest };
  }
  if (input.length === 0) throw new UserError('nothing to read: give --input PATH…, --dataset NAME or --mixture FILE');
  return { kind: 'files', paths: input, format: recordFormat(options, maskPrompt), textSplit, onBroken };
}

/** @throws UserError when the file is none of this kind */
function mixtureSource(path: string): DocumentSourceConfig {
  const settings = readSettings(path, [], 'mixture');
  const parsed = mixtureSourceSchema.safeParse(settings);
  if (!parsed.success)
    throw new UserError(`${path}: ${explainConfigError(mixtureSourceSchema, settings, parsed.error)}`);
  return parsed.data;
}

function recordFormat({ field, prompt, completion }: DocumentOptions, maskPrompt: boolean) {
  if (completion !== undefined)
    return {
      kind: 'template',
      prompt: withLineEnds(prompt ?? ''),
      completion: withLineEnds(completion),
      maskPrompt,
    } as const;
  if (prompt !== undefined) throw new UserError('--prompt needs --completion: the text that follows the prompt');
  return { kind: 'text', field } as const;
}

/** `\n` and `\t` as people write them in a shell. */
function withLineEnds(template: string): string {
  return template.replaceAll('\\n', '\n').replaceAll('\\t', '\t');
}
