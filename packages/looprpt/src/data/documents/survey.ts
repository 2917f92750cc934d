/** What a collection of documents is like, from one pass over it: how many, how long, how often the same, in which scripts. */
import { createHash } from 'node:crypto';
import type { Documents } from './document.js';

export interface Survey {
  documents: number;
  /** UTF-16 units of all texts. */
  characters: number;
  /** Of a document. */
  median: number;
  longest: number;
  /** Documents whose text came before. */
  duplicates: number;
  /** The scripts of the letters with their shares, the most frequent first; those below one in a hundred are left out. */
  scripts: { name: string; share: number }[];
}

const SCRIPTS = [
  'Latin',
  'Cyrillic',
  'Greek',
  'Arabic',
  'Hebrew',
  'Devanagari',
  'Han',
  'Hiragana',
  'Katakana',
  'Hangul',
  'Thai',
];
const patterns = SCRIPTS.map((name) => ({ name, pattern: new RegExp(`\\p{Script=${name}}`, 'gu') }));
const LETTERS = /\p{L}/gu;
/** Letters are counted in the first characters of a document: enough for shares, whatever its length. */
const SAMPLE = 20_000;

export async function surveyDocuments(documents: Documents): Promise<Survey> {
  const lengths: number[] = [];
  const seen = new Set<string>();
  const letters = new Map<string, number>();
  let allLetters = 0;
  for await (const { text } of documents) {
    lengths.push(text.length);
    seen.add(createHash('sha256').update(text).digest('base64'));
    const sample = text.slice(0, SAMPLE);
    allLetters += countOf(sample, LETTERS);
    for (const { name, pattern } of patterns) letters.set(name, (letters.get(name) ?? 0) + countOf(sample, pattern));
  }
  lengths.sort((a, b) => a - b);
  const scripts = [...letters].map(([name, count]) => ({ name, share: count / Math.max(1, allLetters) }));
  return {
    documents: lengths.length,
    characters: lengths.reduce((sum, length) => sum + length, 0),
    median: lengths[lengths.length >> 1] ?? 0,
    longest: lengths.at(-1) ?? 0,
    duplicates: lengths.length - seen.size,
    scripts: scripts.filter(({ share }) => share >= 0.01).sort((a, b) => b.share - a.share),
  };
}

function countOf(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

/** A survey in one line. */
export function surveyLine({ documents, characters, median, longest, duplicates, scripts }: Survey): string {
  const count = (value: number): string => value.toLocaleString('en-US');
  const named = scripts.map(({ name, share }) => `${name} ${Math.round(100 * share)} %`).join(', ');
  return [
    `${count(documents)} documents, ${count(characters)} characters`,
    `half of them over ${count(median)}, the longest ${count(longest)}`,
    duplicates === 0 ? 'none twice' : `${count(duplicates)} more than once`,
    ...(named === '' ? [] : [`letters: ${named}`]),
  ].join('; ');
}
