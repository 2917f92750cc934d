/** The models that are judged, each with held-out documents of what it was trained on. */
import { UserError } from 'looprpt/internal/base/user-error.js';
import type { Document } from 'looprpt/internal/data/documents/document.js';
import { namedSourceSchema } from 'looprpt/internal/data/documents/named.js';
import { openDocuments } from 'looprpt/internal/data/documents/source.js';
import { generatedDocuments } from 'looprpt/internal/data/tasks/index.js';
import type { HeldOut } from 'looprpt/internal/eval/data.js';
import { trainedTask } from 'looprpt/internal/train/state/trained-task.js';

export type JudgedSplit = 'heldout' | 'tune';

export interface DocumentsWanted {
  split: JudgedSplit;
  /** Of generated documents. */
  seed: number;
  count: number;
  /** GSM8K's file or folder. */
  gsm8k: string | undefined;
}

export interface QuantisedCase {
  model: string;
  /** Below the repository's root. */
  folder: string;
  /** Of the data, for people. */
  data: string;
  /** Documents, unless another number is asked for. */
  count: number;
  /** To calibrate on. The narrowest model has nothing to spare, and as much text as it wants. */
  calibrationTokens: number;
  needsGsm8k: boolean;
  documents(folder: string, wanted: DocumentsWanted): AsyncIterable<Document> | Iterable<Document>;
  /** Other text of the same kind, to calibrate on: never what is judged. */
  calibration(wanted: Pick<DocumentsWanted, 'seed' | 'gsm8k'>): HeldOut;
}

/** Documents of a generated task, of which as many are read as have the tokens. */
const ENOUGH = 100_000;

export const CASES: readonly QuantisedCase[] = [
  generated('hop-base', 'packages/looprpt/models/hop-base', 'task:hop', { count: 2000, calibrationTokens: 131_072 }),
  generated('math-base', 'lab/models/math-base', 'task:stories', { count: 400, calibrationTokens: 32_768 }),
  {
    model: 'math-large-base',
    folder: 'lab/models/math-large-base',
    data: 'GSM8K',
    count: 120,
    calibrationTokens: 32_768,
    needsGsm8k: true,
    documents: (_, { split, count, gsm8k }) =>
      first(count, gsm8kDocuments(gsm8k!, split === 'tune' ? { part: 'tune' } : { split: 'heldout' })),
    calibration: ({ gsm8k }) => gsm8kDocuments(gsm8k!, { part: 'rest' }),
  },
];

/** With the settings that the model was trained on. */
function generated(
  model: string,
  folder: string,
  data: string,
  sizes: Pick<QuantisedCase, 'count' | 'calibrationTokens'>,
): QuantisedCase {
  return {
    ...{ model, folder, data, ...sizes },
    needsGsm8k: false,
    documents(path, { split, seed, count }) {
      const task = trainedTask(path);
      if (task === null) throw new UserError(`${path}: does not say what task it was trained on`);
      return generatedDocuments(task, { seed, split, count });
    },
    calibration: ({ seed }) => ({ task: data.slice('task:'.length), seed: seed + 1, count: ENOUGH }),
  };
}

/** The training part is the part `rest`, less a twentieth, `tune`, that the bases did not see. */
function gsm8kDocuments(path: string, which: { part: 'tune' | 'rest' } | { split: 'heldout' }) {
  return openDocuments({ kind: 'named', ...namedSourceSchema.parse({ name: 'gsm8k', path, ...which }) }).documents;
}

async function* first(count: number, documents: AsyncIterable<Document> | Iterable<Document>) {
  let given = 0;
  for await (const document of documents) {
    yield document;
    if (++given >= count) return;
  }
}
