/**
 * Byte-pair encoding's training loop: join the most frequent pair of neighbouring symbols, again and again.
 *
 * Pair counts are kept up to date from the words that a merge touches, and a heap with outdated entries finds the next
 * pair. Deterministic: of pairs with equal counts the one with the smaller left, then the smaller right symbol wins,
 * where symbols are numbered by the alphabet's order and then by when they were made.
 */
import { MaxHeap } from './max-heap.js';

export interface MergeOptions {
  /** Symbols that exist from the start, in order; every letter of every word must be among them. */
  alphabet: readonly string[];
  /** Stop when there are this many symbols, the alphabet included. */
  symbols: number;
  /** Stop when the best pair occurs less often than this. */
  minFrequency: number;
}

export interface LearnedMerges {
  /** The alphabet and then every symbol that a merge made, without repetition. */
  symbols: string[];
  /** In the order in which they must be applied. */
  merges: Array<[left: string, right: string]>;
}

/** Two symbols in one safe integer; far more symbols fit than a vocabulary has. */
const SHIFT = 2 ** 26;

interface Candidate {
  pair: number;
  count: number;
}

/** More frequent first; a pair's number orders by left and then by right symbol. */
const before = (a: Candidate, b: Candidate) => a.count > b.count || (a.count === b.count && a.pair < b.pair);

export function learnMerges(wordCounts: ReadonlyMap<string, number>, options: MergeOptions): LearnedMerges {
  const symbols = [...options.alphabet];
  const idOf = new Map(symbols.map((symbol, id) => [symbol, id]));
  const words = [...wordCounts.keys()].map((word) => Array.from(word, (letter) => idOf.get(letter)!));
  const counts = [...wordCounts.values()];

  const pairCount = new Map<number, number>();
  /** Words that held the pair when it was seen; some may have lost it since. */
  const pairWords = new Map<number, number[]>();
  const change = (pair: number, by: number, word: number) => {
    pairCount.set(pair, (pairCount.get(pair) ?? 0) + by);
    if (by < 0) return;
    const holders = pairWords.get(pair);
    if (holders === undefined) pairWords.set(pair, [word]);
    else if (holders.at(-1) !== word) holders.push(word);
  };

  words.forEach((word, w) => {
    for (let i = 0; i + 1 < word.length; i++) change(word[i]! * SHIFT + word[i + 1]!, counts[w]!, w);
  });
  const heap = new MaxHeap(before);
  for (const [pair, count] of pairCount) heap.push({ pair, count });

  const merges: LearnedMerges['merges'] = [];
  while (symbols.length < options.symbols) {
    const best = heap.pop();
    if (best === undefined) break;
    const count = pairCount.get(best.pair) ?? 0;
    if (count !== best.count) {
      if (count > 0) heap.push({ pair: best.pair, count });
      continue;
    }
    if (count < options.minFrequency) break;

    const left = Math.floor(best.pair / SHIFT);
    const right = best.pair % SHIFT;
    const text = symbols[left]! + symbols[right]!;
    // Two ways of cutting one string make one symbol: the vocabulary has no repetitions.
    let joined = idOf.get(text);
    if (joined === undefined) {
      joined = symbols.push(text) - 1;
      idOf.set(text, joined);
    }
    merges.push([symbols[left]!, symbols[right]!]);

    const grown = new Set<number>();
    for (const w of pairWords.get(best.pair)!) {
      joinInWord(words[w]!, left, right, joined, (pair, sign) => {
        change(pair, sign * counts[w]!, w);
        if (sign > 0) grown.add(pair);
      });
    }
    pairCount.delete(best.pair);
    pairWords.delete(best.pair);
    for (const pair of grown) {
      const now = pairCount.get(pair) ?? 0;
      if (now > 0) heap.push({ pair, count: now });
    }
  }
  return { symbols, merges };
}

/** Joins every (left, right) in `word`, from the left and in place, and says which pairs appear (+1) and go (−1). */
function joinInWord(
  word: number[],
  left: number,
  right: number,
  joined: number,
  changed: (pair: number, sign: 1 | -1) => void,
): void {
  let end = 0;
  for (let i = 0; i < word.length; i++) {
    if (word[i] !== left || word[i + 1] !== right) {
      word[end++] = word[i]!;
      continue;
    }
    if (end > 0) {
      changed(word[end - 1]! * SHIFT + left, -1);
      changed(word[end - 1]! * SHIFT + joined, 1);
    }
    if (i + 2 < word.length) {
      changed(right * SHIFT + word[i + 2]!, -1);
      changed(joined * SHIFT + word[i + 2]!, 1);
    }
    word[end++] = joined;
    i++;
  }
  word.length = end;
}
