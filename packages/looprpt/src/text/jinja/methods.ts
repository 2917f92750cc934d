/**
 * The methods of strings, lists and dicts that a template may call: those of Python that change nothing. Those that would (`append`,
 * `pop`, `update`) are undefined, as in Jinja's sandbox.
 */
import { braces } from './formats.js';
import { ONLY_SPACE, trim, trimEnd, trimStart, WORD } from './python-text.js';
import {
  bind,
  Callable,
  type Dict,
  isEqual,
  isTrue,
  iterate,
  JinjaError,
  type Keywords,
  keyOf,
  lengthOf,
  points,
  tuple,
  typeName,
  type Value,
} from './values.js';

// biome-ignore lint/suspicious/noControlCharactersInRegex: these end a line in Python
const LINE_END = /\r\n|[\n-\r\x1c-\x1e\x85\u2028\u2029]/g;

type Method<T> = (self: T, args: Value[], keywords: Keywords) => Value;

/** The method of a value by name; undefined where it has none that a template may call. */
export function methodOf(value: Value, name: string): Callable | undefined {
  const table: Record<string, Method<never>> | undefined =
    typeof value === 'string' ? STRING : Array.isArray(value) ? LIST : value instanceof Map ? DICT : undefined;
  if (!table || !Object.hasOwn(table, name)) return undefined;
  const method = table[name] as Method<Value>;
  return new Callable(name, (args, keywords) => method(value, args, keywords));
}

function textArgument(name: string, value: Value | undefined): string {
  if (typeof value !== 'string') throw new JinjaError(`${name}() takes a text, not ${typeName(value ?? null)}`);
  return value;
}

function wholeArgument(name: string, value: Value | undefined, otherwise: number): number {
  if (value === undefined || value === null) return otherwise;
  if (typeof value !== 'number') throw new JinjaError(`${name}() takes a whole number, not ${typeName(value)}`);
  return value;
}

/** Strips white space, or the characters of the argument. */
function strip(name: string, space: (text: string) => string, left: boolean, right: boolean): Method<string> {
  return (self, args, keywords) => {
    const [given] = bind(name, ['chars'], args, keywords);
    if (given === undefined || given === null) return space(self);
    const chars = points(textArgument(name, given));
    const all = points(self);
    let [start, end] = [0, all.length];
    while (left && start < end && chars.includes(all[start]!)) start++;
    while (right && end > start && chars.includes(all[end - 1]!)) end--;
    return all.slice(start, end).join('');
  };
}

/** `startswith` and `endswith`: a text or a tuple of texts, within a range. */
function affix(name: string, matches: (text: string, affix: string) => boolean): Method<string> {
  return (self, args, keywords) => {
    const [affixes, start, end] = bind(name, ['prefix', 'start', 'end'], args, keywords);
    const part = sliced(self, start, end);
    const all = Array.isArray(affixes) ? affixes : [affixes];
    return all.some((one) => matches(part, textArgument(name, one)));
  };
}

function sliced(text: string, start: Value | undefined, end: Value | undefined): string {
  if (start === undefined && end === undefined) return text;
  return points(text)
    .slice(wholeArgument('slice', start, 0), wholeArgument('slice', end, text.length))
    .join('');
}

/** `find` and its kin, in code points. */
function search(name: string, find: (text: string, part: string) => number, fails: boolean): Method<string> {
  return (self, args, keywords) => {
    const [part, start, end] = bind(name, ['sub', 'start', 'end'], args, keywords);
    const within = sliced(self, start, end);
    const at = find(within, textArgument(name, part));
    if (at < 0) {
      if (fails) throw new JinjaError('substring not found');
      return -1;
    }
    return lengthOf(within.slice(0, at)) + wholeArgument(name, start, 0);
  };
}

function split(self: string, args: Value[], keywords: Keywords): Value[] {
  const [separator, most] = bind('split', ['sep', 'maxsplit'], args, keywords);
  const limit = wholeArgument('split', most, -1);
  if (separator === undefined || separator === null) {
    const text = trimStart(self);
    const words: string[] = [];
    for (const { 0: word, index } of text.matchAll(WORD)) {
      if (limit >= 0 && words.length >= limit) return [...words, text.slice(index)];
      words.push(word);
    }
    return words;
  }
  const parts = self.split(separatorOf('split', separator));
  if (limit < 0 || parts.length <= limit + 1) return parts;
  return [...parts.slice(0, limit), parts.slice(limit).join(separator as string)];
}

function splitFromRight(self: string, args: Value[], keywords: Keywords): Value[] {
  const [separator, most] = bind('rsplit', ['sep', 'maxsplit'], args, keywords);
  const limit = wholeArgument('rsplit', most, -1);
  if (limit < 0) return split(self, separator === undefined ? [] : [separator], new Map());
  if (separator === undefined || separator === null) {
    const text = trimEnd(self);
    const words = [...text.matchAll(WORD)];
    if (words.length <= limit) return words.map(([word]) => word);
    const kept = words.slice(words.length - limit);
    const before = kept[0] ? text.slice(0, kept[0].index) : text;
    return [trimEnd(before), ...kept.map(([word]) => word)];
  }
  const parts = self.split(separatorOf('rsplit', separator));
  if (parts.length <= limit + 1) return parts;
  const first = parts.slice(0, parts.length - limit).join(separator as string);
  return [first, ...parts.slice(parts.length - limit)];
}

function separatorOf(name: string, value: Value): string {
  const separator = textArgument(name, value);
  if (separator === '') throw new JinjaError('empty separator');
  return separator;
}

function partition(name: string, find: (text: string, part: string) => number, left: boolean): Method<string> {
  return (self, [given]) => {
    const separator = separatorOf(name, given ?? null);
    const at = find(self, separator);
    if (at < 0) return tuple(left ? [self, '', ''] : ['', '', self]);
    return tuple([self.slice(0, at), separator, self.slice(at + separator.length)]);
  };
}

export function replaceText(self: string, from: string, to: string, count: number): string {
  if (count < 0) return self.replaceAll(from, () => to);
  let [text, rest, done] = ['', self, 0];
  for (; done < count; done++) {
    const at = rest.indexOf(from);
    if (at < 0 || (from === '' && rest === '')) break;
    const after = from === '' ? points(rest)[0]!.length : at + from.length;
    text += from === '' ? to + rest.slice(0, after) : rest.slice(0, at) + to;
    rest = rest.slice(after);
  }
  return text + rest;
}

/** The first character as a capital, the rest small. */
export function capitalize(text: string): string {
  const [first = '', ...rest] = points(text);
  return first.toUpperCase() + rest.join('').toLowerCase();
}

/** Pads to a width that is bounded. */
export function pad(text: string, width: number, fill: string, side: 'left' | 'right' | 'both'): string {
  if (width > 100_000) throw new JinjaError(`a field of ${width} characters; 100000 are the most`);
  const free = width - lengthOf(text);
  if (free <= 0) return text;
  // Python gives the odd one to the left if the width is odd.
  const left = side === 'both' ? Math.floor(free / 2) + (free & width & 1) : side === 'left' ? free : 0;
  return fill.repeat(left) + text + fill.repeat(free - left);
}

function padding(name: string, side: 'left' | 'right' | 'both'): Method<string> {
  return (self, [width, fill]) => pad(self, wholeArgument(name, width, 0), textArgument(name, fill ?? ' '), side);
}

function every(pattern: RegExp): Method<string> {
  return (self) => pattern.test(self);
}

const STRING: Record<string, Method<string>> = {
  strip: strip('strip', trim, true, true),
  lstrip: strip('lstrip', trimStart, true, false),
  rstrip: strip('rstrip', trimEnd, false, true),
  upper: (self) => self.toUpperCase(),
  lower: (self) => self.toLowerCase(),
  casefold: (self) => self.toLowerCase(),
  capitalize: (self) => capitalize(self),
  title: (self) => self.replace(/\p{L}+/gu, capitalize),
  swapcase: (self) =>
    self.replace(/\p{L}/gu, (char) => (char === char.toUpperCase() ? char.toLowerCase() : char.toUpperCase())),
  startswith: affix('startswith', (text, prefix) => text.startsWith(prefix)),
  endswith: affix('endswith', (text, suffix) => text.endsWith(suffix)),
  find: search('find', (text, part) => text.indexOf(part), false),
  rfind: search('rfind', (text, part) => text.lastIndexOf(part), false),
  index: search('index', (text, part) => text.indexOf(part), true),
  rindex: search('rindex', (text, part) => text.lastIndexOf(part), true),
  count: (self, [part]) => {
    const given = textArgument('count', part);
    return given === '' ? lengthOf(self) + 1 : self.split(given).length - 1;
  },
  split,
  rsplit: splitFromRight,
  splitlines: (self, args, keywords) => {
    const [keepends] = bind('splitlines', ['keepends'], args, keywords);
    const lines: string[] = [];
    let start = 0;
    for (const { 0: end, index } of self.matchAll(LINE_END)) {
      lines.push(self.slice(start, isTrue(keepends ?? false) ? index + end.length : index));
      start = index + end.length;
    }
    return start < self.length ? [...lines, self.slice(start)] : lines;
  },
  join: (self, [items]) =>
    iterate(items ?? null)
      .map((item) => textArgument('join', item))
      .join(self),
  replace: (self, args, keywords) => {
    const [from, to, count] = bind('replace', ['old', 'new', 'count'], args, keywords);
    return replaceText(
      self,
      textArgument('replace', from),
      textArgument('replace', to),
      wholeArgument('replace', count, -1),
    );
  },
  removeprefix: (self, [prefix]) => {
    const given = textArgument('removeprefix', prefix);
    return self.startsWith(given) ? self.slice(given.length) : self;
  },
  removesuffix: (self, [suffix]) => {
    const given = textArgument('removesuffix', suffix);
    return given !== '' && self.endsWith(given) ? self.slice(0, -given.length) : self;
  },
  partition: partition('partition', (text, part) => text.indexOf(part), true),
  rpartition: partition('rpartition', (text, part) => text.lastIndexOf(part), false),
  format: (self, args, keywords) => braces(self, args, keywords),
  zfill: (self, [width]) => {
    const [, sign = '', rest = ''] = /^([-+]?)(.*)$/s.exec(self) ?? [];
    return sign + pad(rest, wholeArgument('zfill', width, 0) - sign.length, '0', 'left');
  },
  ljust: padding('ljust', 'right'),
  rjust: padding('rjust', 'left'),
  center: padding('center', 'both'),
  expandtabs: (self, [size]) => self.replace(/\t/g, ' '.repeat(Math.min(wholeArgument('expandtabs', size, 8), 64))),
  isdigit: every(/^[\p{Nd}\u00b2\u00b3\u00b9\u2070-\u2079\u2080-\u2089]+$/u),
  isdecimal: every(/^\p{Nd}+$/u),
  isnumeric: every(/^\p{N}+$/u),
  isalpha: every(/^\p{L}+$/u),
  isalnum: every(/^[\p{L}\p{N}]+$/u),
  isspace: every(ONLY_SPACE),
  isupper: (self) => /\p{L}/u.test(self) && self === self.toUpperCase() && self !== self.toLowerCase(),
  islower: (self) => /\p{L}/u.test(self) && self === self.toLowerCase() && self !== self.toUpperCase(),
};

const LIST: Record<string, Method<Value[]>> = {
  index: (self, [item]) => {
    const at = self.findIndex((one) => isEqual(one, item ?? null));
    if (at < 0) throw new JinjaError('the value is not in the list');
    return at;
  },
  count: (self, [item]) => self.filter((one) => isEqual(one, item ?? null)).length,
  copy: (self) => [...self],
};

const DICT: Record<string, Method<Dict>> = {
  get: (self, args, keywords) => {
    const [key, otherwise] = bind('get', ['key', 'default'], args, keywords);
    return self.get(keyOf(key ?? null)) ?? (self.has(keyOf(key ?? null)) ? null : (otherwise ?? null));
  },
  items: (self) => [...self].map(tuple),
  keys: (self) => [...self.keys()],
  values: (self) => [...self.values()],
  copy: (self) => new Map(self),
};
