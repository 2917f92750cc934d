/** Filters of what can be iterated. */

import { add } from './arithmetic.js';
import { attributeOf, FILTERS, type Filter, withParameters } from './filters.js';
import { textOf } from './python-text.js';
import { testNamed } from './tests.js';
import {
  bind,
  compare,
  isEqual,
  isTrue,
  iterate,
  JinjaError,
  lengthOf,
  points,
  tuple,
  typeName,
  Undefined,
  type Value,
} from './values.js';

const caseless = (value: Value): Value => (typeof value === 'string' ? value.toLowerCase() : value);

/** Sorted by a key, in the order that equal ones had. */
function sorted(items: readonly Value[], keyOfItem: (item: Value) => Value, reverse: boolean): Value[] {
  const keyed = items.map((item) => ({ item, key: keyOfItem(item) }));
  keyed.sort((a, b) => (reverse ? compare(b.key, a.key) : compare(a.key, b.key)));
  return keyed.map(({ item }) => item);
}

function keyBy(attribute: Value | undefined, caseSensitive: Value | undefined): (item: Value) => Value {
  const fold = isTrue(caseSensitive ?? false) ? (value: Value) => value : caseless;
  if (attribute === undefined || attribute === null) return fold;
  const paths = typeof attribute === 'string' && attribute.includes(',') ? attribute.split(',') : null;
  if (paths) return (item) => tuple(paths.map((path) => fold(attributeOf(item, path))));
  return (item) => fold(attributeOf(item, attribute));
}

function extreme(name: string, sign: number): Filter {
  return withParameters(name, ['case_sensitive', 'attribute'], (value, caseSensitive, attribute) => {
    const key = keyBy(attribute, caseSensitive);
    const items = iterate(value);
    if (items.length === 0) return new Undefined('No aggregated item, sequence was empty.');
    return items.reduce((best, item) => (sign * compare(key(item), key(best)) > 0 ? item : best));
  });
}

/** `select`, `selectattr` and their opposites: a test on each item or an attribute of it. */
function selection(byAttribute: boolean, wanted: boolean): Filter {
  return (value, args, keywords) => {
    if (keywords.size > 0) throw new JinjaError('tests take no named arguments here');
    const [path, ...after] = byAttribute ? args : [null, ...args];
    const [name, argument = null] = after;
    if (byAttribute && path === undefined) throw new JinjaError('Missing parameter for attribute name');
    const test = name === undefined ? isTrue : testNamed(textOf(name));
    const chosen = (item: Value): boolean => test(byAttribute ? attributeOf(item, path!) : item, argument);
    // Python looks at the items only when they are asked for; what nothing asks of None is no fault.
    return value === null ? [] : iterate(value).filter((item) => chosen(item) === wanted);
  };
}

const map: Filter = (value, args, keywords) => {
  const items = value === null ? [] : iterate(value);
  if (args.length === 0) {
    const [attribute, otherwise] = bind('map', ['attribute', 'default'], [], keywords);
    if (attribute === undefined) throw new JinjaError('map takes a filter or an attribute');
    return items.map((item) => {
      const found = attributeOf(item, attribute);
      return found instanceof Undefined && otherwise !== undefined ? otherwise : found;
    });
  }
  const filter = filterNamed(textOf(args[0]!));
  return items.map((item) => filter(item, args.slice(1), keywords));
};

const batch = withParameters('batch', ['linecount', 'fill_with'], (value, count, fill) => {
  const size = Number(count ?? 0);
  if (!(size >= 1)) throw new JinjaError('batch takes a number of items of at least 1');
  const items = iterate(value);
  const rows: Value[][] = [];
  for (let at = 0; at < items.length; at += size) rows.push(items.slice(at, at + size));
  const last = rows.at(-1);
  if (fill !== undefined && fill !== null && last && size <= 10_000) while (last.length < size) last.push(fill);
  return rows;
});

const slice = withParameters('slice', ['slices', 'fill_with'], (value, slices, fill) => {
  const items = iterate(value);
  const count = Number(slices ?? 0);
  if (!(count >= 1 && count <= 10_000)) throw new JinjaError('slice takes a number of columns of at least 1');
  const [each, extra] = [Math.floor(items.length / count), items.length % count];
  let at = 0;
  return Array.from({ length: count }, (_, i) => {
    const column = items.slice(at, at + each + (i < extra ? 1 : 0));
    at += column.length;
    return fill !== undefined && fill !== null && i >= extra && extra > 0 ? [...column, fill] : column;
  });
});

const groupby = withParameters(
  'groupby',
  ['attribute', 'default', 'case_sensitive'],
  (value, attribute, otherwise, caseSensitive) => {
    const plain = (item: Value): Value => {
      const found = attributeOf(item, attribute ?? '');
      return found instanceof Undefined && otherwise !== undefined ? otherwise : found;
    };
    const key = (item: Value): Value => (isTrue(caseSensitive ?? false) ? plain(item) : caseless(plain(item)));
    const groups: { key: Value; items: Value[] }[] = [];
    for (const item of sorted(iterate(value), key, false)) {
      const last = groups.at(-1);
      if (last && isEqual(last.key, key(item))) last.items.push(item);
      else groups.push({ key: key(item), items: [item] });
    }
    return groups.map(({ items }) => tuple([plain(items[0]!), items]));
  },
);

const dictsort = withParameters(
  'dictsort',
  ['case_sensitive', 'by', 'reverse'],
  (value, caseSensitive, by, reverse) => {
    if (!(value instanceof Map)) throw new JinjaError(`'dictsort' takes a dict, not ${typeName(value)}`);
    const place = by === 'value' ? 1 : 0;
    const fold = keyBy(undefined, caseSensitive);
    return sorted([...value].map(tuple), (pair) => fold((pair as Value[])[place]!), isTrue(reverse ?? false));
  },
);

const join = withParameters('join', ['d', 'attribute'], (value, separator, attribute) =>
  iterate(value)
    .map((item) => textOf(attribute === undefined || attribute === null ? item : attributeOf(item, attribute)))
    .join(textOf(separator ?? '')),
);

const unique = withParameters('unique', ['case_sensitive', 'attribute'], (value, caseSensitive, attribute) => {
  const key = keyBy(attribute, caseSensitive);
  const seen: Value[] = [];
  return iterate(value).filter((item) => {
    if (seen.some((one) => isEqual(one, key(item)))) return false;
    seen.push(key(item));
    return true;
  });
});

const sum = withParameters('sum', ['attribute', 'start'], (value, attribute, start) =>
  iterate(value).reduce<Value>(
    (total, item) => add(total, attribute === undefined || attribute === null ? item : attributeOf(item, attribute)),
    start ?? 0,
  ),
);

export const SEQUENCE_FILTERS: Readonly<Record<string, Filter>> = {
  batch,
  dictsort,
  first: (value) =>
    iterate(value)[0] ?? (lengthOf(value) > 0 ? null : new Undefined('No first item, sequence was empty.')),
  groupby,
  join,
  last: (value) =>
    iterate(value).at(-1) ?? (lengthOf(value) > 0 ? null : new Undefined('No last item, sequence was empty.')),
  list: (value) => [...iterate(value)],
  map,
  max: extreme('max', 1),
  min: extreme('min', -1),
  reject: selection(false, false),
  rejectattr: selection(true, false),
  reverse: (value) => (typeof value === 'string' ? points(value).reverse().join('') : [...iterate(value)].reverse()),
  select: selection(false, true),
  selectattr: selection(true, true),
  slice,
  sort: withParameters('sort', ['reverse', 'case_sensitive', 'attribute'], (value, reverse, caseSensitive, attribute) =>
    sorted(iterate(value), keyBy(attribute, caseSensitive), isTrue(reverse ?? false)),
  ),
  sum,
  unique,
};

/** @throws JinjaError for a filter that is none */
export function filterNamed(name: string): Filter {
  if (Object.hasOwn(SEQUENCE_FILTERS, name)) return SEQUENCE_FILTERS[name]!;
  if (Object.hasOwn(FILTERS, name)) return FILTERS[name]!;
  throw new JinjaError(`No filter named '${name}'.`);
}
