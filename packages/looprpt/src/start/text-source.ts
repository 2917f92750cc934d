/**
 * The text of a first-contact job, in two parts: a data set known by name has a held-out split of its own; of files a share of the
 * documents is held out, by a hash of their text. A few long documents are cut into sections first, and the job says so.
 */
import { interruptible } from '../base/interruptible.js';
import { UserError } from '../base/user-error.js';
import type { Documents } from '../data/documents/document.js';
import { documentsOf, type Part } from '../data/documents/hold-out.js';
import { hubDataset, hubDatasetId } from '../data/documents/hub-dataset.js';
import { type NamedSource, namedSourceSchema } from '../data/documents/named.js';
import { sectionsOf } from '../data/documents/sections.js';
import { type DocumentSourceConfig, documentSourceSchema, openDocuments } from '../data/documents/source.js';
import { type Survey, surveyDocuments, surveyLine } from '../data/documents/survey.js';

/** What to train on; `path` of a named data set is a file or folder of it, without: the Hub. */
export type TextTopic =
  | { kind: 'named'; name: NamedSource['name']; path?: string | undefined }
  | { kind: 'files'; paths: readonly string[] };

export interface TextSource {
  /** For titles and manifests. */
  name: string;
  survey: Survey;
  /** What the reader should know about the text and how a part of it was held out. */
  remarks: string[];
  /** The documents of a part, for one pass. */
  open(part: Part): Documents;
}

/** Below this nothing can be held out that tells models apart. */
const FEWEST = 40;
/** Documents enough for intervals, and for a mixture at every step. */
const ENOUGH = 400;
const SECTION = { least: 1000, most: 3000, wanted: 1000 };
/** Held-out documents that tell models apart. */
const WANTED_HELD_OUT = 60;
const SHARE = { least: 0.05, most: 0.2 };

/** @throws UserError when the text cannot be read; the signal's reason once it was given */
export async function textSource(topic: TextTopic, signal: AbortSignal): Promise<TextSource> {
  const source = await (topic.kind === 'named' ? named(topic, signal) : files(topic, signal));
  const { documents, characters } = source.survey;
  if (characters === 0) throw new UserError(`${source.name}: holds no text`);
  if (documents < FEWEST)
    throw new UserError(
      `${source.name}: ${documents} documents or sections are too few to hold some out; give ${FEWEST} at least`,
    );
  return source;
}

export function topicName(topic: TextTopic): string {
  return topic.kind === 'named' ? topic.name : topic.paths.join(' ');
}

async function named(topic: Extract<TextTopic, { kind: 'named' }>, signal: AbortSignal): Promise<TextSource> {
  const { name, path } = topic;
  const place = path === undefined ? {} : { path };
  const open = (split: Part): Documents =>
    stoppable(
      openDocuments({ kind: 'named', ...namedSourceSchema.parse({ name, split, ...place }) }).documents,
      signal,
    );
  const survey = await surveyDocuments(open('train'));
  const remarks = [
    `${name}: ${surveyLine(survey)}.`,
    `The held-out documents are the data set's own split. Solutions count, problems do not.`,
  ];
  return { name, survey, remarks, open };
}

async function files(topic: Extract<TextTopic, { kind: 'files' }>, signal: AbortSignal): Promise<TextSource> {
  const { paths, remarks } = await onThisMachine(topic.paths);
  const source: DocumentSourceConfig = documentSourceSchema.parse({ kind: 'files', paths });
  const whole = (): Documents => stoppable(openDocuments(source).documents, signal);
  const raw = await surveyDocuments(whole());
  const length = sectionLength(raw);
  const all = (): Documents => (length === null ? whole() : sectionsOf(whole(), length));
  const survey = length === null ? raw : await surveyDocuments(all());
  const share = Math.min(SHARE.most, Math.max(SHARE.least, WANTED_HELD_OUT / Math.max(1, survey.documents)));
  const cut =
    length === null
      ? []
      : [
          `They were cut at blank lines into ${survey.documents} sections of about ${length} characters or more, each a document.`,
        ];
  return {
    name: topicName(topic),
    survey,
    remarks: [
      ...remarks,
      `${topicName(topic)}: ${surveyLine(raw)}.`,
      ...cut,
      `${Number((100 * share).toPrecision(2))} % of the documents are held out, by a hash of their text: the same text is never in both parts.`,
    ],
    open: (part) => documentsOf(part, share, all()),
  };
}

/** Data sets of the Hub are fetched; paths are as they were given. */
async function onThisMachine(paths: readonly string[]): Promise<{ paths: string[]; remarks: string[] }> {
  const local: string[] = [];
  const remarks: string[] = [];
  for (const path of paths) {
    const id = hubDatasetId(path);
    if (id === null) {
      local.push(path);
      continue;
    }
    const { files, remark } = await hubDataset(id);
    local.push(...files);
    remarks.push(remark);
  }
  return { paths: local, remarks };
}

/** Documents between which somebody may ask to stop. */
const stoppable = (documents: Documents, signal: AbortSignal): Documents => interruptible(documents, signal, 64);

/** @returns null where there are documents enough as they are */
function sectionLength({ documents, characters }: Survey): number | null {
  if (documents >= ENOUGH) return null;
  return Math.min(SECTION.most, Math.max(SECTION.least, Math.floor(characters / SECTION.wanted)));
}
