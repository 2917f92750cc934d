/**
 * What a `tokenizer.json` must not ask of the library that reads it: there, some contradictions end the process, and some chains
 * of parts make a text grow until memory is full. Everything else that is wrong with a file the library says itself.
 */
import { z } from 'zod';

export interface TokenizerLimits {
  /** Parts of a normaliser, pre-tokeniser or decoder, nested ones counted; known files have about ten. */
  parts: number;
  /** How many times longer a text may become by what is replaced and put in front. */
  growth: number;
}

const LIMITS: TokenizerLimits = { parts: 64, growth: 4096 };

const bpeModel = z.looseObject({
  // As it was parsed: an entry may be called __proto__.
  vocab: z.custom<object>((value) => typeof value === 'object' && value !== null),
  continuing_subword_prefix: z.string().nullish(),
  merges: z.array(z.union([z.string(), z.array(z.string())])),
});

/** @param file the parsed JSON @returns what is wrong, naming the key; null if nothing is */
export function tokenizerFault(file: Readonly<Record<string, unknown>>, limits = LIMITS): string | null {
  return (
    mergesFault(file.model) ??
    chainFault(file, 'normalizer', limits) ??
    chainFault(file, 'pre_tokenizer', limits) ??
    chainFault(file, 'decoder', limits)
  );
}

function mergesFault(model: unknown): string | null {
  const parsed = bpeModel.safeParse(model);
  if (!parsed.success) return null;
  const { vocab, continuing_subword_prefix: prefix, merges } = parsed.data;
  for (const [i, merge] of merges.entries()) {
    const parts = typeof merge === 'string' ? merge.split(' ') : merge;
    const [first, second] = parts;
    // What is no pair it says itself.
    if (parts.length !== 2 || first === undefined || second === undefined) continue;
    const fault = mergeFault(first, second, { prefix: prefix ?? '', known: (entry) => Object.hasOwn(vocab, entry) });
    if (fault !== null) return `model.merges.${i}: ${fault}`;
  }
  return null;
}

/**
 * A merge joins two entries to a third; the second loses the prefix that marks the inside of a word. The library takes both for granted.
 * @returns what is wrong; null if nothing is
 */
export function mergeFault(
  first: string,
  second: string,
  { prefix, known }: { prefix: string; known: (entry: string) => boolean },
): string | null {
  if (!second.startsWith(prefix)) return 'its second part does not begin with the prefix';
  return known(first + second.slice(prefix.length)) ? null : 'what it joins is not in the vocabulary';
}

function chainFault(
  file: Readonly<Record<string, unknown>>,
  key: string,
  { parts: most, growth: mostGrowth }: TokenizerLimits,
): string | null {
  const parts = partsOf(file[key], most);
  if (parts.length > most) return `${key}: ${parts.length} parts, more than ${most}`;
  const byteLevels = parts.filter(({ type }) => type === 'ByteLevel').length;
  // Each writes most bytes of the one before as two.
  if (byteLevels > 1) return `${key}: ${byteLevels} parts of type ByteLevel; one is what a byte-level tokenizer has`;
  const growth = parts.reduce((product, part) => product * growthOf(part), 1);
  return growth > mostGrowth ? `${key}: its replacements make a text ${growth.toPrecision(2)} times as long` : null;
}

type Part = Readonly<Record<string, unknown>>;

/** The parts that do something, without the sequences that hold them. */
function partsOf(node: unknown, most: number): Part[] {
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
    if (parts.length > 10 * most) break;
  }
  return parts;
}

function growthOf({ type, content, prepend, replacement }: Part): number {
  const added =
    type === 'Replace' ? content : type === 'Prepend' ? prepend : type === 'Metaspace' ? replacement : undefined;
  return typeof added === 'string' ? Math.max(1, Buffer.byteLength(added)) : 1;
}
