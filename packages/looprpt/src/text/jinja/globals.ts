/** What every template can name: `range`, `dict`, `namespace`, `cycler`, `joiner`, and what transformers adds. */
import { textOf } from './python-text.js';
import {
  Callable,
  Float,
  iterate,
  JinjaError,
  type Keywords,
  Namespace,
  numberOf,
  Undefined,
  type Value,
} from './values.js';

/** As in Jinja's sandbox. */
const LONGEST_RANGE = 100_000;

function range(args: Value[]): Value {
  const given = args.map((arg) => (arg instanceof Float ? null : numberOf(arg)));
  if (given.length < 1 || given.length > 3 || given.includes(null))
    throw new JinjaError('range() takes 1 to 3 whole numbers');
  const [a, b, step = 1] = given as number[];
  if (step === 0) throw new JinjaError('range() arg 3 must not be zero');
  const [start, stop] = b === undefined ? [0, a!] : [a!, b];
  const count = Math.max(0, Math.ceil((stop - start) / step));
  if (count > LONGEST_RANGE) throw new JinjaError(`range() of ${count} numbers; ${LONGEST_RANGE} are the most`);
  return Array.from({ length: count }, (_, i) => start + i * step);
}

/** Entries of `dict(...)` and `namespace(...)`: a mapping or pairs, then keywords. */
function entries(args: Value[], keywords: Keywords): [Value, Value][] {
  const [given] = args;
  const first =
    given === undefined
      ? []
      : given instanceof Map
        ? [...given]
        : iterate(given).map((pair): [Value, Value] => {
            const [key, value] = iterate(pair);
            if (key === undefined || value === undefined) throw new JinjaError('a dict is made of pairs');
            return [key, value];
          });
  return [...first, ...keywords];
}

/** Each call gives the next of the items. */
function cycler(items: Value[]): Value {
  if (items.length === 0) throw new JinjaError('at least one item has to be provided');
  let at = 0;
  const next = (): Value => items[at++ % items.length]!;
  const self = new Namespace(new Map<string, Value>());
  self.entries.set('next', new Callable('next', next));
  self.entries.set(
    'reset',
    new Callable('reset', () => {
      at = 0;
      return null;
    }),
  );
  return self;
}

/** Nothing the first time, the separator from then on. */
function joiner(separator: Value): Value {
  let used = false;
  return new Callable('joiner', () => {
    if (used) return separator;
    used = true;
    return '';
  });
}

const two = (number: number): string => String(number).padStart(2, '0');

/** Local time by the letters of C's strftime; the names are English. */
export function timeText(format: string, now: Date): string {
  const name = (options: Intl.DateTimeFormatOptions): string => new Intl.DateTimeFormat('en-US', options).format(now);
  const start = new Date(now.getFullYear(), 0, 1);
  const hour = now.getHours() % 12 || 12;
  const letters: Record<string, () => string> = {
    Y: () => String(now.getFullYear()),
    y: () => two(now.getFullYear() % 100),
    m: () => two(now.getMonth() + 1),
    d: () => two(now.getDate()),
    e: () => String(now.getDate()).padStart(2, ' '),
    H: () => two(now.getHours()),
    I: () => two(hour),
    M: () => two(now.getMinutes()),
    S: () => two(now.getSeconds()),
    f: () => `${String(now.getMilliseconds()).padStart(3, '0')}000`,
    p: () => (now.getHours() < 12 ? 'AM' : 'PM'),
    B: () => name({ month: 'long' }),
    b: () => name({ month: 'short' }),
    h: () => name({ month: 'short' }),
    A: () => name({ weekday: 'long' }),
    a: () => name({ weekday: 'short' }),
    w: () => String(now.getDay()),
    j: () =>
      String(
        Math.round((new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime() - start.getTime()) / 864e5) +
          1,
      ).padStart(3, '0'),
    F: () => timeText('%Y-%m-%d', now),
    T: () => timeText('%H:%M:%S', now),
    R: () => timeText('%H:%M', now),
    D: () => timeText('%m/%d/%y', now),
    '%': () => '%',
  };
  return format.replace(/%(-?)([a-zA-Z%])/g, (all, bare: string, letter: string) => {
    const text = Object.hasOwn(letters, letter) ? letters[letter]!() : all;
    return bare === '' ? text : text.replace(/^[0 ]+(?=\d)/, '');
  });
}

export const GLOBALS: Readonly<Record<string, Value>> = {
  range: new Callable('range', range),
  dict: new Callable('dict', (args, keywords) => new Map(entries(args, keywords))),
  namespace: new Callable('namespace', (args, keywords) => {
    const pairs = entries(args, keywords).map(([key, value]): [string, Value] => [textOf(key), value]);
    return new Namespace(new Map(pairs));
  }),
  cycler: new Callable('cycler', cycler),
  joiner: new Callable('joiner', ([separator]) => joiner(separator ?? ', ')),
  lipsum: new Callable('lipsum', () => new Undefined('there is no lipsum here')),
  raise_exception: new Callable('raise_exception', ([message]) => {
    throw new JinjaError(textOf(message ?? ''));
  }),
  strftime_now: new Callable('strftime_now', ([format]) => timeText(textOf(format ?? ''), new Date())),
};
