/**
 * Answers in worked solutions: where they stand, and when two are the same.
 *
 * The normalisation is light on purpose: it undoes differences in writing, not in mathematics. 1/2 and 0.5 are different here.
 */

/** GSM8K writes `#### 42` behind a solution. @returns null where there is no such mark */
export function markedAnswer(text: string): string | null {
  return /####[ \t]*([^\n]+)/.exec(text)?.[1]?.trim() ?? null;
}

/** The last number of a text, as it stands there; null where there is none. */
export function lastNumber(text: string): string | null {
  return text.match(/-?\d[\d,]*(?:\.\d+)?/g)?.at(-1) ?? null;
}

/** The content of the last `\boxed{…}`, braces inside it included; null where there is none or it is not closed. */
export function boxedAnswer(text: string): string | null {
  const mark = /\\f?boxed\s*\{/g;
  let start = -1;
  for (let match = mark.exec(text); match; match = mark.exec(text)) start = mark.lastIndex;
  if (start < 0) return null;
  let depth = 1;
  for (let at = start; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '{') depth++;
    else if (text[at] === '}' && --depth === 0) return text.slice(start, at).trim();
  }
  return null;
}

export function sameAnswer(a: string, b: string): boolean {
  return normaliseAnswer(a) === normaliseAnswer(b);
}

/** One way of writing for the many of LaTeX and plain text. */
export function normaliseAnswer(answer: string): string {
  const plain = answer
    .replace(/\\(?:left|right|[dt](?=frac)|displaystyle|[,;:! ]|quad|qquad)/g, (command) =>
      command === '\\d' || command === '\\t' ? '\\' : '',
    )
    .replace(/\\(?:text|textbf|mathrm|mbox)\s*\{([^{}]*)\}/g, '$1')
    .replace(/\\frac\s*(\d)\s*(\d)/g, '\\frac{$1}{$2}')
    .replace(/\\sqrt\s*(\d)/g, '\\sqrt{$1}')
    .replace(/\\%|%|\\\$|\$|\^\s*\{?\\circ\}?|\\degree/g, '')
    .replace(/~|\s+/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
  const number = plain.replace(/^\+/, '').replace(/,(?=\d{3}(?!\d))/g, '');
  return /^-?(?:\d+\.?\d*|\.\d+)$/.test(number) ? canonicalNumber(number) : plain;
}

/** No zeros in front of the whole part or at the end of the fraction; by text, so that no digit is lost. */
function canonicalNumber(text: string): string {
  const [, sign, whole, fraction] = /^(-?)0*(\d*)\.?(\d*?)0*$/.exec(text) as unknown as [
    string,
    string,
    string,
    string,
  ];
  const value = `${whole || '0'}${fraction === '' ? '' : `.${fraction}`}`;
  return value === '0' ? '0' : sign + value;
}
