/**
 * What a `tokenizer.json` must not ask of the library that reads it: there, some contradictions end the process, and some chains
 * of parts make a text grow until memory is full. Everything else that is wrong with a file the library says itself.
 */
import { z } from 'zod';

/** Parts of a normaliser, pre-tokeniser or decoder, nested ones counted; known files have about ten. */
const MOST_PARTS = 64;
/** How many times longer a text may become by what is replaced and put in front. */
const MOST_GROWTH = 4096;

const bpeModel = z.looseObject({
  // As it was parsed: an entry may be called __proto__.
  vocab: z.custom<object>((value) => typeof value === 'object' && value !== null),
  continuing_subword_prefix: z.string().nullish(),
  merges: z.array(z.union([z.string(), z.array(z.string())])),
});

/** @param file the parsed JSON @returns what is wrong, naming the key; null if nothing is */
export function tokenizerFault(file: Readonly<Record<string, unknown>>): string | null {
  return (
    mergeFault(file.model) ??
    chainFault(file, 'normalizer') ??
    chainFault(file, 'pre_tokenizer') ??
    chainFault(file, 'decoder')
  );
}

/**
 * A merge joins two entries to a third; the second loses the prefix that marks the inside of a word. The library makes room for
 * the longest entry, and cuts without looking.
 */
function mergeFault(model: unknown): string | null {
  const parsed = bpeModel.safeParse(model);
  if (!parsed.success) return null;
  const { vocab, continuing_subword_prefix: prefix, merges } = parsed.data;
  for (const [i, merge] of merges.entries()) {
    const parts = typeof merge === 'string' ? merge.split(' ') : merge;
    const [first, second] = parts;
    // What is no pair it says itself.
    if (parts.length !== 2 || first === undefined || second === undefined) continue;
    if (!second.startsWith(prefix ?? '')) return `model.merges.${i}: its second part does not begin with the prefix`;
    if (!Object.hasOwn(vocab, first + second.slice((prefix ?? '').length)))
      return `model.merges.${i}: what it joins is not in the vocabulary`;
  }
  return null;
}

function chainFault(file: Readonly<Record<string, unknown>>, key: string): string | null {
  const parts = partsOf(file[key]);
  if (parts.length > MOST_PARTS) return `${key}: ${parts.length} parts, more than ${MOST_PARTS}`;
  const byteLevels = parts.filter(({ type }) => type === 'ByteLevel').length;
  // Each writes most bytes of the one before as two.
  if (byteLevels > 1) return `${key}: ${byteLevels} parts of type ByteLevel; one is what a byte-level tokenizer has`;
  const growth = parts.reduce((product, part) => product * growthOf(part), 1);
  return growth > MOST_GROWTH ? `${key}: its replacements make a text ${growth.toPrecision(2)} times as long` : null;
}

type Part = Readonly<Record<string, unknown>>;

/** The parts that do something, without the sequences that hold them. */
function partsOf(node: unknown): Part[] {
  const open: unknown[] = [node];
  const parts: Part[] = [];
  // Not by recursion: how deep it goes is the file's choice.
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next !== 'object' || next === null) continue;
    const part = next as Part;
    if (Array.isArray(next)) open.push(...next);
    else {
      parts.push(part);
      open.push(part.normalizers, part.pretokenizers, part.decoders);
    }
    if (parts.length > 10 * MOST_PARTS) break;
  }
  return parts;
}

function growthOf({ type, content, prepend, replacement }: Part): number {
  const added =
    type === 'Replace' ? content : type === 'Prepend' ? prepend : type === 'Metaspace' ? replacement : undefined;
  return typeof added === 'string' ? Math.max(1, Buffer.byteLength(added)) : 1;
}
