/**
 * Numbers in answers: finding them in prose and the values of what TeX writes. Values are exact fractions of whole numbers, so that
 * no digit is lost and 0.1 is a tenth.
 */

/** A sign counts where no value stands right before it: `x = -3`, but not `10-3`. Thousands are grouped by threes. */
const NUMBER = /(?:(?<![\w.)}\]])-)?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)?(?:\.\d+)?/g;

/** The last number of a text, as it stands there but for TeX's thousands and signs; null where there is none. */
export function lastNumber(text: string): string | null {
  return numbersIn(text).at(-1) ?? null;
}

/** The first number of a text that begins with one but for markup, `=`, currency and sign: `**18**`, `= $1,234 in all`; else null. */
export function leadingNumber(text: string): string | null {
  const bare = plain(text).replaceAll(/[*_`$€£¥=~:\s]|\\[()[\]]|\\text(?:bf)?\{/g, ' ');
  const [, sign, rest] = /^\s*([-+]?)\s*(.*)$/s.exec(bare)!;
  const [number] = numbersIn(rest!);
  if (number === undefined || !rest!.startsWith(number)) return null;
  return sign === '-' ? `-${number}` : number;
}

function numbersIn(text: string): string[] {
  return plain(text)
    .replaceAll(/-\s*\$\s*(?=[\d.])/g, '-')
    .match(NUMBER)!
    .filter((found) => /\d/.test(found));
}

/** One minus sign, and thousands as in prose: TeX writes `1{,}234` and `1\,234`. */
function plain(text: string): string {
  return text
    .replaceAll(/[−–‒]/g, '-')
    .replaceAll(/(?<=\d)(?:\{,\}|\\[,!]\s?,?|\{\\,\})(?=\d{3}(?!\d))/g, ',')
    .replaceAll('\\$', '$');
}

/** No zeros in front of the whole part or at the end of the fraction; by text, so that no digit is lost. */
export function canonicalNumber(text: string): string {
  const [, sign, whole, fraction] = /^(-?)0*(\d*)\.?(\d*?)0*$/.exec(text) as unknown as [
    string,
    string,
    string,
    string,
  ];
  const value = `${whole || '0'}${fraction === '' ? '' : `.${fraction}`}`;
  return value === '0' ? '0' : sign + value;
}

export interface Fraction {
  readonly over: bigint;
  /** Positive. */
  readonly under: bigint;
}

/** The value of a number, a fraction or a mixed number in normalised TeX: `-0.5`, `\frac{1}{2}`, `3\frac{1}{2}`; else null. */
export function fractionOf(answer: string): Fraction | null {
  const [, sign, rest] = /^(-?)(.*)$/s.exec(answer)!;
  const mixed = /^(\d*)\\frac\{(-?[\d.]+)\}\{(-?[\d.]+)\}$/.exec(rest!);
  const size = mixed ? mixedNumber(mixed[1]!, mixed[2]!, mixed[3]!) : decimal(rest!);
  return size && sign === '-' ? { over: -size.over, under: size.under } : size;
}

export function sameValue(a: Fraction, b: Fraction): boolean {
  return a.over * b.under === b.over * a.under;
}

function mixedNumber(whole: string, above: string, below: string): Fraction | null {
  const [n, d] = [decimal(above), decimal(below)];
  if (n === null || d === null || d.over === 0n) return null;
  const part = { over: n.over * d.under, under: n.under * d.over };
  const { over, under } = part.under < 0n ? { over: -part.over, under: -part.under } : part;
  return { over: over + BigInt(whole || 0) * under, under };
}

/** Plain digits with at most one point. */
function decimal(text: string): Fraction | null {
  const match = /^(-?)(\d*)\.?(\d*)$/.exec(text);
  if (!match || (match[2] === '' && match[3] === '')) return null;
  const [, sign, whole, fraction] = match;
  const over = BigInt(`${whole}${fraction}`);
  return { over: sign === '-' ? -over : over, under: 10n ** BigInt(fraction!.length) };
}
