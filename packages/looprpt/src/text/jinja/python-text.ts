/** Values as Python prints them, and what Python counts as white space. */
import { Callable, Float, LoopContext, Namespace, Tuple, Undefined, type Value } from './values.js';

const SPACE = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const LEADING = new RegExp(`^[${SPACE}]+`);
export const ONLY_SPACE = new RegExp(`^[${SPACE}]+$`);
export const WORD = new RegExp(`[^${SPACE}]+`, 'g');

export function trimStart(text: string): string {
  return text.replace(LEADING, '');
}

export function trimEnd(text: string): string {
  // A search for white space at the end would begin anew at every run of it.
  let end = text.length;
  while (end > 0 && ONLY_SPACE.test(text[end - 1]!)) end--;
  return text.slice(0, end);
}

export function trim(text: string): string {
  return trimStart(trimEnd(text));
}

/** What `{{ value }}` writes. */
export function textOf(value: Value): string {
  return typeof value === 'string' ? value : quoted(value);
}

/** As inside of a list: strings have their quotes. */
export function quoted(value: Value): string {
  if (value === null) return 'None';
  if (typeof value === 'string') return quotedText(value);
  if (typeof value === 'number') return String(value);
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (value instanceof Float) return floatText(value.value);
  if (value instanceof Undefined) return '';
  if (value instanceof Tuple) return `(${value.map(quoted).join(', ')}${value.length === 1 ? ',' : ''})`;
  if (Array.isArray(value)) return `[${value.map(quoted).join(', ')}]`;
  if (value instanceof Map) return `{${[...value].map(([key, item]) => `${quoted(key)}: ${quoted(item)}`).join(', ')}}`;
  if (value instanceof Namespace) return `<Namespace ${quoted(new Map(value.entries))}>`;
  if (value instanceof Callable) return `<function ${value.name}>`;
  if (value instanceof LoopContext) return `<LoopContext ${value.index0 + 1}/${value.items.length}>`;
  return value satisfies never;
}

/** The shortest digits that give the number again, with an exponent from 1e16 on and below 1e-4. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (Object.is(value, -0)) return '-0.0';
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e16 || size < 1e-4)) {
    const [digits, exponent] = value.toExponential().split('e') as [string, string];
    return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`;
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

const ESCAPES: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };

function quotedText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what Python writes as escapes
  const body = text.replace(/[\\\x00-\x1f\x7f-\xa0\xad'"]/g, (char) => {
    if (char === "'" || char === '"') return char === quote ? `\\${char}` : char;
    return ESCAPES[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return quote + body + quote;
}
