/**
 * How a record of JSONL or Parquet becomes a document: one field is the text, or templates put several together as a
 * prompt and its completion.
 */
import { z } from 'zod';
import { UserError } from '../../base/user-error.js';
import { type CharRange, type Document, lossFault } from './document.js';
import { datasetLike } from './named-records.js';
import { whatInsteadOfText } from './utf8.js';

export const recordFormatSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('text'),
      field: z
        .string()
        .min(1)
        .default('text')
        .describe('the field that holds the text; a list of ranges in `loss` beside it masks the rest'),
    }),
    z.strictObject({
      kind: z.literal('template'),
      prompt: z.string().default('').describe('what comes first, for example "Question: {question}\\nAnswer:"'),
      completion: z.string().min(1).describe('what follows, for example " {answer}"'),
      maskPrompt: z.boolean().default(true).describe('only the completion counts in the loss'),
    }),
  ])
  .default({ kind: 'text', field: 'text' })
  .describe('{name} in a template stands for a field, {a.b} for a field within; {{ and }} for braces');

export type RecordFormat = z.output<typeof recordFormatSchema>;

type Fields = Readonly<Record<string, unknown>>;

/** A document, or why the record is broken. */
export type Conversion = { readonly document: Document } | { readonly fault: string };

export interface RecordConverter {
  /** The top-level fields that are needed, and those that are used when they are there. */
  readonly required: readonly string[];
  readonly optional: readonly string[];
  convert(record: Fields): Conversion;
}

/** @throws UserError when a template is malformed */
export function recordConverter(format: RecordFormat): RecordConverter {
  switch (format.kind) {
    case 'text':
      return textConverter(format.field);
    case 'template':
      return templateConverter(format);
    default:
      return format satisfies never;
  }
}

function textConverter(field: string): RecordConverter {
  return {
    required: [field],
    optional: ['loss', 'meta'],
    convert(record) {
      const text = record[field];
      if (text === undefined) {
        const fields = Object.keys(record);
        const like = datasetLike(fields);
        const hint = like === null ? '' : `, as in ${like}, which --dataset ${like} reads`;
        return { fault: `no field '${field}'; there are: ${fields.join(', ') || 'none'}${hint}` };
      }
      if (typeof text !== 'string') return { fault: `field '${field}' ${whatInsteadOfText(text)}` };
      const meta = simpleFacts(record.meta);
      // Data of others may use the name for something else; a list can only mean ranges.
      if (!Array.isArray(record.loss)) return { document: { text, meta } };
      const loss: unknown[] = record.loss;
      const isRange = (range: unknown): range is CharRange =>
        Array.isArray(range) && range.length === 2 && range.every((end) => typeof end === 'number');
      if (!loss.every(isRange)) return { fault: "field 'loss' must be a list of [start, end]" };
      const fault = lossFault(loss, text.length);
      return fault === undefined ? { document: { text, loss, meta } } : { fault: `field 'loss': ${fault}` };
    },
  };
}

/** The strings and numbers of an object; undefined when there are none. */
function simpleFacts(meta: unknown): Record<string, string | number> | undefined {
  if (typeof meta !== 'object' || meta === null || Array.isArray(meta)) return undefined;
  const facts = Object.entries(meta).filter(
    (entry): entry is [string, string | number] => typeof entry[1] === 'string' || typeof entry[1] === 'number',
  );
  return facts.length === 0 ? undefined : Object.fromEntries(facts);
}

function templateConverter(format: Extract<RecordFormat, { kind: 'template' }>): RecordConverter {
  const prompt = parseTemplate(format.prompt);
  const completion = parseTemplate(format.completion);
  const paths = [...prompt, ...completion].flatMap((piece) => (typeof piece === 'string' ? [] : [piece.path]));
  if (paths.length === 0) throw new UserError(`template ${JSON.stringify(format.completion)}: names no {field}`);
  return {
    required: [...new Set(paths.map((path) => path[0]!))],
    optional: [],
    convert(record) {
      const before = fill(prompt, record);
      if ('fault' in before) return before;
      const after = fill(completion, record);
      if ('fault' in after) return after;
      const text = before.text + after.text;
      const start = text.length - after.text.trimStart().length;
      if (start === text.length) return { fault: 'the completion is empty' };
      return { document: { text, loss: format.maskPrompt ? [[start, text.length]] : undefined } };
    },
  };
}

/** Literal text, or the path to a field. */
type Piece = string | { readonly path: readonly string[] };

function parseTemplate(template: string): Piece[] {
  return [...template.matchAll(/\{\{|\}\}|\{([^{}]+)\}|[{}]|[^{}]+/g)].map(([piece, path]) => {
    if (path !== undefined) return { path: path.trim().split('.') };
    if (piece === '{' || piece === '}') {
      throw new UserError(
        `template ${JSON.stringify(template)}: lone '${piece}'; write '${piece}${piece}' for a brace`,
      );
    }
    return piece === '{{' ? '{' : piece === '}}' ? '}' : piece;
  });
}

function fill(template: readonly Piece[], record: Fields): { readonly text: string } | { readonly fault: string } {
  let text = '';
  for (const piece of template) {
    if (typeof piece === 'string') {
      text += piece;
      continue;
    }
    const value = piece.path.reduce<unknown>(
      (inner, name) =>
        typeof inner === 'object' && inner !== null && Object.hasOwn(inner, name)
          ? (inner as Record<string, unknown>)[name]
          : undefined,
      record,
    );
    const name = piece.path.join('.');
    if (value === undefined || value === null) return { fault: `no field '${name}'` };
    if (typeof value === 'object') return { fault: `field '${name}' ${whatInsteadOfText(value)}` };
    text += String(value);
  }
  return { text };
}
