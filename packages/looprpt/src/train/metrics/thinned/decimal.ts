/**
 * Numbers of JSON read from bytes, the same doubles that `JSON.parse` gives. Not a validator of anything around them.
 *
 * Up to 15 digits and a power of ten up to 22 are both exact doubles, and one division of theirs rounds once (Clinger 1990). Up to 19
 * digits, which is what a double is written with, are a quotient and what the division left over (Dekker 1971). Where the two bounds of
 * its error round differently, and for all other numbers, the text goes to `Number`.
 */
const EXACT_DIGITS = 15;
const MOST_DIGITS = 19;
const POWERS = Float64Array.from({ length: 23 }, (_, k) => Number(`1e${k}`));
/** Veltkamp's constant: parts a double into two of 26 bits. */
const SPLIT = 2 ** 27 + 1;
/** Above the relative error of what is left over. */
const DOUBT = 2 ** -48;

const [ZERO, NINE, POINT, MINUS, PLUS, LARGE_E, SMALL_E] = [48, 57, 46, 45, 43, 69, 101];

export class DecimalReader {
  /** Behind the number that was last read; -1 where there was none. */
  end = -1;

  /** @returns what stands at `at`; NaN, and `end` -1, where it is no number as JSON has them */
  read(bytes: Uint8Array, at: number): number {
    let i = at;
    const isNegative = bytes[i] === MINUS;
    if (isNegative) i++;
    // The first digits from the first that is not 0, the next ones, and how many both are. One by one: tuples would cost half the time.
    let head = 0;
    let rest = 0;
    let digits = 0;
    let behindPoint = 0;
    const begin = i;
    let digit = bytes[i]! - ZERO;
    while (digit >= 0 && digit <= NINE - ZERO) {
      if (digits > 0 || digit > 0) {
        if (digits < EXACT_DIGITS) head = 10 * head + digit;
        else rest = 10 * rest + digit;
        digits++;
      }
      digit = bytes[++i]! - ZERO;
    }
    if (i === begin || (i > begin + 1 && bytes[begin] === ZERO)) return this.#none();
    if (bytes[i] === POINT) {
      const point = i;
      digit = bytes[++i]! - ZERO;
      while (digit >= 0 && digit <= NINE - ZERO) {
        if (digits > 0 || digit > 0) {
          if (digits < EXACT_DIGITS) head = 10 * head + digit;
          else rest = 10 * rest + digit;
          digits++;
        }
        digit = bytes[++i]! - ZERO;
      }
      behindPoint = i - point - 1;
      if (behindPoint === 0) return this.#none();
    }
    let power = -behindPoint;
    if (bytes[i] === SMALL_E || bytes[i] === LARGE_E) {
      const sign = bytes[++i];
      if (sign === MINUS || sign === PLUS) i++;
      const first = i;
      let exponent = 0;
      digit = bytes[i]! - ZERO;
      while (digit >= 0 && digit <= NINE - ZERO) {
        exponent = Math.min(10 * exponent + digit, 1e6);
        digit = bytes[++i]! - ZERO;
      }
      if (i === first) return this.#none();
      power += sign === MINUS ? -exponent : exponent;
    }
    this.end = i;
    const size = sizeOf(head, rest, digits, power);
    return Number.isNaN(size) ? Number(textOf(bytes, at, i)) : isNegative ? -size : size;
  }

  #none(): number {
    this.end = -1;
    return Number.NaN;
  }
}

/** NaN where doubles do not tell it. @param power of ten, of the last digit */
function sizeOf(head: number, rest: number, digits: number, power: number): number {
  if (digits <= EXACT_DIGITS) {
    if (power < -22 || power > 22) return Number.NaN;
    return power < 0 ? head / POWERS[-power]! : head * POWERS[power]!;
  }
  if (digits > MOST_DIGITS) return Number.NaN;
  const more = digits - EXACT_DIGITS;
  // head + rest / 10^more, over 10^below.
  const below = -power - more;
  if (below < 0 || below > 22) return Number.NaN;
  const divisor = POWERS[below]!;
  const quotient = head / divisor;
  const left = (head - quotient * divisor - errorOf(quotient, divisor) + rest / POWERS[more]!) / divisor;
  const doubt = Math.abs(left) * DOUBT;
  const low = quotient + (left - doubt);
  return low === quotient + (left + doubt) ? low : Number.NaN;
}

/** What rounding took from a·b. */
function errorOf(a: number, b: number): number {
  const product = a * b;
  const largeA = a * SPLIT - (a * SPLIT - a);
  const largeB = b * SPLIT - (b * SPLIT - b);
  const smallA = a - largeA;
  const smallB = b - largeB;
  return smallA * smallB - (product - largeA * largeB - smallA * largeB - largeA * smallB);
}

function textOf(bytes: Uint8Array, begin: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(begin, end));
}
