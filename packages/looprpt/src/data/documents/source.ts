/**
 * Any source of documents by its configuration: files, a data set by name, or a generated task.
 */
import { z } from 'zod';
import { generatedDocuments } from '../tasks/index.js';
import { taskConfigSchema } from '../tasks/mixture.js';
import { splits } from '../tasks/split.js';
import { BrokenRecords } from './broken.js';
import type { Document } from './document.js';
import { fileSourceSchema, readDocuments } from './files.js';
import { namedSourceSchema, readNamed } from './named.js';

export const documentSourceSchema = z.discriminatedUnion('kind', [
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

export type DocumentSourceConfig = z.output<typeof documentSourceSchema>;

/**
 * Opens a source for one pass.
 *
 * @returns the documents, and the records that were left out of them so far
 */
export function openDocuments(source: DocumentSourceConfig): {
  readonly documents: AsyncIterable<Document> | Iterable<Document>;
  readonly broken: BrokenRecords;
} {
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
