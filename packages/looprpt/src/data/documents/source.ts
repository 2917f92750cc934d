/**
 * Any source of documents by its configuration: files, a data set by name, a generated task, or several of these one after the other.
 */
import { z } from 'zod';
import { generatedDocuments } from '../tasks/index.js';
import { taskConfigSchema } from '../tasks/mixture.js';
import { splits } from '../tasks/split.js';
import { BrokenRecords } from './broken.js';
import type { Documents } from './document.js';
import { fileSourceSchema, readDocuments } from './files.js';
import { namedSourceSchema, readNamed } from './named.js';

const singleSourceSchema = z.discriminatedUnion('kind', [
  fileSourceSchema.extend({ kind: z.literal('files') }),
  namedSourceSchema.extend({ kind: z.literal('named') }),
  z.strictObject({
    kind: z.literal('task'),
    config: taskConfigSchema.describe('the task and its settings'),
    seed: z.int().nonnegative().default(0).describe('another seed gives other documents of the same splits'),
    split: z.enum(splits).default('train').describe('no problem is in two splits, whatever the seeds'),
    count: z.int().positive().describe('how many documents'),
  }),
]);

export const mixtureSourceSchema = z.strictObject({
  kind: z.literal('mixture').default('mixture'),
  parts: z
    .array(singleSourceSchema)
    .min(1)
    .describe('sources, read one after the other; training draws from all alike'),
});

export const documentSourceSchema = z.discriminatedUnion('kind', [...singleSourceSchema.options, mixtureSourceSchema]);

type SingleSource = z.output<typeof singleSourceSchema>;
/** Where documents come from, resolved: every setting is there. */
export type DocumentSourceConfig = z.output<typeof documentSourceSchema>;

/** Records, and files of folders, that were left out so far. */
export type LeftOut = Pick<BrokenRecords, 'count' | 'examples' | 'files'>;

const MOST_FILES = 5;

/** What was left out, a line for each record of the examples and for each file, up to a number. */
export function leftOutLines({ count, examples, files }: LeftOut): string[] {
  const more = (all: number, shown: number, what: string): string[] =>
    all > shown ? [`left out: ${all - shown} more ${what}`] : [];
  return [
    ...examples.map((example) => `left out: ${example}`),
    ...more(count, examples.length, 'records that cannot be read'),
    ...files.slice(0, MOST_FILES).map((file) => `left out: ${file}`),
    ...more(files.length, MOST_FILES, 'files'),
  ];
}

/** A source opened for one pass. */
export interface OpenSource {
  readonly documents: Documents;
  readonly broken: LeftOut;
}

/**
 * Opens documents from files, a data set known by name, a generated task or several of these, for one pass.
 * @param source as `schemas.documents` gives it
 * @returns the documents, and what was left out of them so far
 */
export function openDocuments(source: DocumentSourceConfig): OpenSource {
  return source.kind === 'mixture' ? openAll(source.parts) : openSingle(source);
}

function openAll(sources: readonly SingleSource[]): OpenSource {
  const parts = sources.map(openSingle);
  return {
    documents: (async function* () {
      for (const { documents } of parts) yield* documents;
    })(),
    broken: {
      get count() {
        return parts.reduce((sum, { broken }) => sum + broken.count, 0);
      },
      get examples() {
        return parts.flatMap(({ broken }) => broken.examples);
      },
      get files() {
        return parts.flatMap(({ broken }) => broken.files);
      },
    },
  };
}

function openSingle(source: SingleSource): OpenSource {
  switch (source.kind) {
    case 'files': {
      const broken = new BrokenRecords(source.onBroken);
      return { documents: readDocuments(source, broken), broken };
    }
    case 'named': {
      const broken = new BrokenRecords(source.onBroken);
      return { documents: readNamed(source, { broken }), broken };
    }
    case 'task': {
      const { config, seed, split, count } = source;
      return { documents: generatedDocuments(config, { seed, split, count }), broken: new BrokenRecords('stop') };
    }
    default:
      return source satisfies never;
  }
}

/** Where the documents come from, for manifests and messages. */
export function sourceName(source: DocumentSourceConfig): string {
  switch (source.kind) {
    case 'files':
      return source.paths.join(' ');
    case 'named':
      return `${source.name} ${source.split}${source.path === undefined ? ` (${source.revision} on the Hub)` : ` (${source.path})`}`;
    case 'task':
      return source.config.task;
    case 'mixture':
      return source.parts.map(sourceName).join(', ');
    default:
      return source satisfies never;
  }
}
