/**
 * Data sets by name: GSM8K, Omni-MATH and MATH, from a local file or folder or from the Hugging Face Hub, as
 * documents "Problem: …\nSolution: …" whose prompt does not count in the loss. `meta` has what evaluation needs:
 * `dataset`, `split`, `problem`, `answer`, and where the data set gives it `difficulty`, `subject`, `domain`.
 */
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { glob } from 'tinyglobby';
import { z } from 'zod';
import { UserError } from '../../base/user-error.js';
import { splitOf } from '../tasks/split.js';
import { BrokenRecords, onBrokenSchema } from './broken.js';
import type { Document } from './document.js';
import { type FetchFile, hubFetcher } from './hub-file.js';
import { type DatasetName, type NamedProblem, namedProblem } from './named-records.js';
import { omniMathSplit } from './omni-math-split.js';
import { problemDocument } from './problem.js';
import { readRecords } from './records.js';

export const namedSourceSchema = z.strictObject({
  name: z.enum(['gsm8k', 'omni-math', 'math']).describe('the data set'),
  split: z.enum(['train', 'heldout']).default('train').describe("gsm8k's test and all of MATH-500 are held out"),
  part: z
    .enum(['all', 'tune', 'rest'])
    .default('all')
    .describe('tune: a twentieth of the documents, chosen by a hash of their text; rest: those that are not'),
  path: z.string().min(1).optional().describe('a file of the data set or a folder with its files; without: the Hub'),
  revision: z.string().min(1).default('main').describe('branch, tag or commit on the Hub'),
  maskPrompt: z.boolean().default(true).describe('only the solution counts in the loss'),
  calculator: z.enum(['remove', 'keep']).default('remove').describe("GSM8K's <<48/2=24>> annotations"),
  onBroken: onBrokenSchema,
});

export type NamedSource = z.output<typeof namedSourceSchema>;
type Split = NamedSource['split'];

/**
 * Files that make up a split: those of `names`, or, where they are many, those that match `pattern`. `raw`: of the whole data set,
 * from which the split is still to be taken.
 */
interface Files {
  readonly names: readonly string[];
  readonly pattern?: string;
  readonly raw?: boolean;
}

/** Where a data set is found: its repository on the Hub, and in a local folder the first entry whose files exist. */
interface Layout {
  readonly repo: string;
  readonly hub: Readonly<Record<Split, Files | null>>;
  readonly local: Readonly<Record<Split, readonly Files[]>>;
}

const gsm8kParquet = (split: string): Files => ({ names: [`main/${split}-00000-of-00001.parquet`] });

/** MATH as its authors publish it, a file a problem in a folder a subject, and as Parquet by subject. */
const mathFolders = (split: string): readonly Files[] =>
  [`${split}/*/*.json`, `*/${split}-*.parquet`].map((pattern) => ({ names: [], pattern }));

const omniMathRaw: readonly Files[] = [
  { names: ['test.jsonl'], raw: true },
  { names: ['Omni-Math.jsonl'], raw: true },
  { names: ['omni_math_rule.jsonl', 'omni_math_extra.jsonl'], raw: true },
  { names: ['omni_math_rule.jsonl'], raw: true },
];

const layouts: Readonly<Record<DatasetName, Layout>> = {
  gsm8k: {
    repo: 'openai/gsm8k',
    hub: { train: gsm8kParquet('train'), heldout: gsm8kParquet('test') },
    local: {
      train: [{ names: ['train.jsonl'] }, gsm8kParquet('train')],
      heldout: [{ names: ['test.jsonl'] }, gsm8kParquet('test')],
    },
  },
  'omni-math': {
    repo: 'KbsdJames/Omni-MATH',
    hub: { train: { names: ['test.jsonl'], raw: true }, heldout: { names: ['test.jsonl'], raw: true } },
    local: {
      train: [{ names: ['train.jsonl'] }, ...omniMathRaw],
      heldout: [{ names: ['heldout.jsonl'] }, ...omniMathRaw],
    },
  },
  math: {
    repo: 'HuggingFaceH4/MATH-500',
    hub: { train: null, heldout: { names: ['test.jsonl'] } },
    local: {
      train: [{ names: ['train.jsonl'] }, ...mathFolders('train')],
      heldout: [{ names: ['math500.jsonl'] }, { names: ['test.jsonl'] }, ...mathFolders('test')],
    },
  },
};

/**
 * @param fetchFile how a file of the Hub comes to this machine
 * @throws UserError when the data set is not there and, unless `onBroken` is 'skip', for a record that is not of it
 */
export async function* readNamed(
  source: NamedSource,
  options: { broken?: BrokenRecords; fetchFile?: FetchFile } = {},
): AsyncGenerator<Document, void, undefined> {
  for await (const document of readWhole(source, options))
    if (source.part === 'all' || (splitOf(document.text) === 'tune') === (source.part === 'tune')) yield document;
}

async function* readWhole(
  source: NamedSource,
  {
    broken = new BrokenRecords(source.onBroken),
    fetchFile = hubFetcher(),
  }: { broken?: BrokenRecords; fetchFile?: FetchFile },
): AsyncGenerator<Document, void, undefined> {
  const { files, raw } =
    source.path === undefined ? await fromHub(source, fetchFile) : await locate(source, source.path);
  const toDocument = ({ problem, solution, answer, facts }: Worked) =>
    problemDocument({ problem, solution }, source.maskPrompt, {
      dataset: source.name,
      split: source.split,
      problem,
      answer,
      ...facts,
    });
  if (!raw) {
    for await (const problem of readProblems(source, files, broken)) yield toDocument(problem);
    return;
  }
  const problems: Worked[] = [];
  for await (const problem of readProblems(source, files, broken)) problems.push(problem);
  for (const problem of omniMathSplit(problems, source.split)) yield toDocument(problem);
}

/** A problem that can be trained on. */
type Worked = NamedProblem & { readonly solution: string };

async function* readProblems(
  source: NamedSource,
  files: readonly string[],
  broken: BrokenRecords,
): AsyncGenerator<Worked, void, undefined> {
  for (const file of files) {
    for await (const { where, record } of readRecords(file, broken)) {
      const read = namedProblem(source.name, record, source);
      const problem = 'value' in read ? read.value : null;
      if (problem !== null && isWorked(problem)) yield problem;
      else {
        const fault =
          'fault' in read ? read.fault : "field 'solution': is missing, and without it there is nothing to train on";
        broken.report(where, `no record of ${source.name}: ${fault}`);
      }
    }
  }
}

function isWorked(problem: NamedProblem): problem is Worked {
  return problem.solution !== null;
}

interface Located {
  readonly files: readonly string[];
  readonly raw: boolean;
}

async function fromHub({ name, split, revision }: NamedSource, fetchFile: FetchFile): Promise<Located> {
  const { repo, hub } = layouts[name];
  const files = hub[split];
  if (files === null)
    throw new UserError(`${repo} has no split '${split}'; give a path to a folder with ${split}.jsonl`);
  const paths: string[] = [];
  for (const file of files.names) paths.push(await fetchFile(repo, file, revision));
  return { files: paths, raw: files.raw ?? false };
}

async function locate({ name, split }: NamedSource, path: string): Promise<Located> {
  const found = await stat(path).catch(() => null);
  if (!found) throw new UserError(`${path}: no such file or folder`);
  if (found.isFile()) {
    const isSplit = name !== 'omni-math' || ['train.jsonl', 'heldout.jsonl'].includes(basename(path));
    return { files: [path], raw: !isSplit };
  }
  const options = layouts[name].local[split];
  for (const { names, pattern, raw = false } of options) {
    if (pattern !== undefined) {
      const files = (await glob(pattern, { cwd: path })).sort();
      if (files.length > 0) return { files: files.map((file) => join(path, file)), raw };
      continue;
    }
    const files = names.map((file) => join(path, file));
    const present = await Promise.all(files.map((file) => stat(file).catch(() => null)));
    if (present.every((file) => file?.isFile())) return { files, raw };
  }
  const wanted = options.map(({ names, pattern }) => pattern ?? names.join(' and ')).join('; or ');
  throw new UserError(`${path}: holds no ${split} split of ${name}; expected ${wanted}`);
}
