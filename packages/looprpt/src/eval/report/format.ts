/** Numbers as text, for tables and labels. A number that is not finite is a dash. */
import type { ComparisonResult } from '../result.js';
import type { Spread } from './summary.js';

/** A fraction in per cent without the sign: `31.2`. */
export function percent(fraction: number, digits = 1): string {
  return fixed(100 * fraction, digits);
}

export function fixed(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits).replace(/^-/, '−') : '–';
}

/** `+1.2` or `−0.3`. */
export function signed(value: number, digits: number): string {
  return value > 0 ? `+${fixed(value, digits)}` : fixed(value, digits);
}

/** `31.2 ± 0.4`, or `31.2` for a single seed. */
export function spreadText({ mean, sd }: Spread, digits: number, scale = 1): string {
  return sd === undefined
    ? fixed(scale * mean, digits)
    : `${fixed(scale * mean, digits)} ± ${fixed(scale * sd, digits)}`;
}

/** `+0.10 to +0.30`; a dash where there is no interval. */
export function intervalText({ low, high }: ComparisonResult, digits: number, scale = 1): string {
  return low === null || high === null ? '–' : `${signed(scale * low, digits)} to ${signed(scale * high, digits)}`;
}

/** From how many documents the intervals are, or why there are none; a sentence for each kind. */
export function aboutIntervals(comparisons: readonly ComparisonResult[]): string[] {
  const sentences = comparisons.map(({ documents, level, reason }) => {
    if (reason !== undefined) return reason;
    const from = documents === undefined ? 'sequences' : `${count(documents)} documents`;
    return `${fixed(100 * level, 0)} % intervals by paired bootstrap over ${from}`;
  });
  return [...new Set(sentences)];
}

/** `12,345`. */
export function count(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString('en-US') : '–';
}

/** A power of a thousand that makes `largest` a number between 1 and 1000, and its SI prefix. */
export function siScale(largest: number): { divisor: number; prefix: '' | 'k' | 'M' | 'G' | 'T' } {
  const prefixes = ['', 'k', 'M', 'G', 'T'] as const;
  const power = largest >= 1 ? Math.min(Math.floor(Math.log10(largest) / 3), prefixes.length - 1) : 0;
  return { divisor: 1000 ** power, prefix: prefixes[power]! };
}
