/**
 * Where the final answer stands in a worked solution, as the benchmarks write it: behind `####` (GSM8K), in the last `\boxed{…}` or
 * `\fbox{…}` (MATH). Used for reference solutions and for generated ones alike; when two answers are the same is decided elsewhere.
 */

/** GSM8K writes `#### 42` behind a solution. @returns the rest of the first such line; null where there is none */
export function markedAnswer(text: string): string | null {
  return /####[ \t]*([^\n]+)/.exec(text)?.[1]?.trim() ?? null;
}

const BOX = /\\(?:boxed|fbox|framebox)(?![a-zA-Z])\s*/g;

/**
 * The content of the last box, braces inside it included. Without braces TeX boxes the next token; people mean what follows up to
 * the end of the formula.
 * @returns null where there is no box or it is not closed
 */
export function boxedAnswer(text: string): string | null {
  const last = [...text.matchAll(BOX)].at(-1);
  if (last === undefined) return null;
  const start = last.index + last[0].length;
  if (text[start] !== '{') return /^[^$\n]+/.exec(text.slice(start))?.[0].trim() || null;
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '{') depth++;
    else if (text[at] === '}' && --depth === 0) return text.slice(start + 1, at).trim();
  }
  return null;
}
