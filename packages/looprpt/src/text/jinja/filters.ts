/** Filters of single values: texts, numbers, and those that look at a value as a whole. */
import { percent } from './formats.js';
import { toJson } from './json.js';
import { capitalize, pad, replaceText } from './methods.js';
import { quoted, textOf, trim, WORD } from './python-text.js';
import {
  bind,
  Float,
  isTrue,
  iterate,
  JinjaError,
  type Keywords,
  keyOf,
  lengthOf,
  numberOf,
  points,
  tuple,
  typeName,
  Undefined,
  type Value,
} from './values.js';

export type Filter = (value: Value, args: Value[], keywords: Keywords) => Value;

/** A filter with named parameters. */
export function withParameters(
  name: string,
  parameters: readonly string[],
  filter: (value: Value, ...given: (Value | undefined)[]) => Value,
): Filter {
  return (value, args, keywords) => filter(value, ...bind(name, parameters, args, keywords));
}

/** What was given, which may be None, or what stands for it. */
function given(value: Value | undefined, otherwise: Value): Value {
  return value === undefined ? otherwise : value;
}

const onText =
  (filter: (text: string) => Value): Filter =>
  (value) =>
    filter(textOf(value));

const orDefault = withParameters('default', ['default_value', 'boolean'], (value, otherwise, boolean) => {
  const missing = value instanceof Undefined || (isTrue(boolean ?? false) && !isTrue(value));
  return missing ? given(otherwise, '') : value;
});

const HTML: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&#39;', '"': '&#34;' };
const escapeHtml = onText((text) => text.replace(/[&<>'"]/g, (char) => HTML[char]!));
const length: Filter = (value) => lengthOf(value);

function wholeNumber(value: Value, otherwise: Value | undefined, base: Value | undefined): Value {
  const number = numberOf(value);
  if (number !== null) return Number.isFinite(number) ? Math.trunc(number) : given(otherwise, 0);
  if (typeof value !== 'string') return given(otherwise, 0);
  const text = trim(value).replaceAll('_', '');
  const radix = typeof base === 'number' ? base : 10;
  const prefixed = new Map([
    [16, /^[-+]?(0x)?[\da-f]+$/i],
    [8, /^[-+]?(0o)?[0-7]+$/i],
    [2, /^[-+]?(0b)?[01]+$/i],
  ]).get(radix);
  if (prefixed?.test(text)) return Number.parseInt(text.replace(/0[xob]/i, ''), radix);
  if (/^[-+]?\d+$/.test(text)) return Number.parseInt(text, radix);
  const float = floatOf(value);
  return float === null || !Number.isFinite(float) ? given(otherwise, 0) : Math.trunc(float);
}

function floatOf(value: Value): number | null {
  const number = numberOf(value);
  if (number !== null) return number;
  const text = typeof value === 'string' ? trim(value) : '';
  return /^[-+]?(\d[\d_]*\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) ? Number(text.replaceAll('_', '')) : null;
}

/** Half goes to the even neighbour, as Python rounds. */
function roundHalfEven(number: number, digits: number): number {
  const exact = Number(`${Number(number.toPrecision(17))}e${digits}`);
  const scaled = Number.isFinite(exact) ? exact : number * 10 ** digits;
  const low = Math.floor(scaled);
  const rounded = scaled - low === 0.5 ? (low % 2 === 0 ? low : low + 1) : Math.round(scaled);
  return Number(`${rounded}e${-digits}`);
}

function round(value: Value, precision: Value | undefined, method: Value | undefined): Value {
  const number = numberOf(value);
  const digits = precision ?? 0;
  if (number === null || typeof digits !== 'number')
    throw new JinjaError(`'round' takes numbers, not ${typeName(value)}`);
  if (method === 'ceil' || method === 'floor') {
    const scale = 10 ** digits;
    return new Float((method === 'ceil' ? Math.ceil(number * scale) : Math.floor(number * scale)) / scale);
  }
  if (!(value instanceof Float)) return roundHalfEven(number, Math.min(digits, 0));
  // The digits of toFixed are those of the exact binary number, as Python's are.
  const rounded = digits > 0 ? Number(number.toFixed(Math.min(digits, 100))) : roundHalfEven(number, digits);
  return new Float(rounded);
}

function indent(value: Value, width: Value | undefined, first: Value | undefined, blank: Value | undefined): Value {
  const step = typeof width === 'string' ? width : ' '.repeat(Math.min(Number(width ?? 4), 1000));
  const lines = textOf(value).split('\n');
  const rest = lines.slice(1).map((line) => (line === '' && !isTrue(blank ?? false) ? line : step + line));
  const body = [lines[0]!, ...rest].join('\n');
  return isTrue(first ?? false) ? step + body : body;
}

function truncate(value: Value, length?: Value, killwords?: Value, end?: Value, leeway?: Value): Value {
  const text = points(textOf(value));
  const most = Number(length ?? 255);
  const tail = textOf(end ?? '...');
  if (text.length <= most + Number(leeway ?? 5)) return text.join('');
  const cut = text.slice(0, most - lengthOf(tail)).join('');
  if (isTrue(killwords ?? false)) return cut + tail;
  const space = cut.lastIndexOf(' ');
  return (space < 0 ? cut : cut.slice(0, space)) + tail;
}

export const FILTERS: Readonly<Record<string, Filter>> = {
  abs: (value) => {
    const number = numberOf(value);
    if (number === null) throw new JinjaError(`bad operand type for abs(): '${typeName(value)}'`);
    return value instanceof Float ? new Float(Math.abs(number)) : Math.abs(number);
  },
  attr: () => new Undefined('attributes of objects are not for templates'),
  capitalize: onText(capitalize),
  center: withParameters('center', ['width'], (value, width) => pad(textOf(value), Number(width ?? 80), ' ', 'both')),
  count: length,
  d: orDefault,
  default: orDefault,
  e: escapeHtml,
  escape: escapeHtml,
  forceescape: escapeHtml,
  float: withParameters('float', ['default'], (value, otherwise) => {
    const number = floatOf(value);
    return number === null ? given(otherwise, new Float(0)) : new Float(number);
  }),
  format: (value, args, keywords) => {
    if (args.length > 0 && keywords.size > 0)
      throw new JinjaError('format takes positional or keyword arguments, not both');
    return percent(textOf(value), keywords.size > 0 ? new Map(keywords) : tuple(args));
  },
  indent: withParameters('indent', ['width', 'first', 'blank'], indent),
  int: withParameters('int', ['default', 'base'], wholeNumber),
  items: (value) => {
    if (value instanceof Undefined) return [];
    if (!(value instanceof Map)) throw new JinjaError("'items' takes a mapping");
    return [...value].map(tuple);
  },
  length,
  lower: onText((text) => text.toLowerCase()),
  pprint: (value) => quoted(value),
  replace: withParameters('replace', ['old', 'new', 'count'], (value, from, to, count) =>
    replaceText(textOf(value), textOf(from ?? ''), textOf(to ?? ''), typeof count === 'number' ? count : -1),
  ),
  round: withParameters('round', ['precision', 'method'], round),
  safe: onText((text) => text),
  string: onText((text) => text),
  striptags: onText((text) => (text.replace(/<!--[\s\S]*?-->|<[^>]*>/g, '').match(WORD) ?? []).join(' ')),
  title: onText((text) => text.replace(/[^-\s({[<]+/gu, (word) => capitalize(word))),
  tojson: toJson,
  trim: withParameters('trim', ['chars'], (value, chars) => {
    const text = textOf(value);
    if (chars === undefined || chars === null) return trim(text);
    const drop = points(textOf(chars));
    const all = points(text);
    const kept = all.map((char) => !drop.includes(char));
    const start = kept.indexOf(true);
    return start < 0 ? '' : all.slice(start, kept.lastIndexOf(true) + 1).join('');
  }),
  truncate: withParameters('truncate', ['length', 'killwords', 'end', 'leeway'], truncate),
  upper: onText((text) => text.toUpperCase()),
  urlencode: onText((text) =>
    encodeURIComponent(text)
      .replaceAll('%2F', '/')
      .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`),
  ),
  wordcount: onText((text) => (text.match(/[\p{L}\p{N}_]+/gu) ?? []).length),
};

/** The part of a value at `a.b.0`, as the filters' `attribute` names it. */
export function attributeOf(value: Value, path: Value): Value {
  const steps: Value[] =
    typeof path === 'string' ? path.split('.').map((step) => (/^\d+$/.test(step) ? Number(step) : step)) : [path];
  return steps.reduce<Value>((inner, step) => {
    if (inner instanceof Map && inner.has(keyOf(step))) return inner.get(keyOf(step))!;
    if ((Array.isArray(inner) || typeof inner === 'string') && typeof step === 'number')
      return iterate(inner)[step] ?? new Undefined('');
    return new Undefined(`'${typeName(inner)} object' has no attribute '${textOf(step)}'`);
  }, value);
}
