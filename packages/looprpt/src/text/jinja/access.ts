/** Attributes, items and slices of values. An attribute is looked up before an item where a point stands, after it in brackets. */
import { methodOf } from './methods.js';
import {
  Callable,
  isEqual,
  iterate,
  JinjaError,
  keyOf,
  LoopContext,
  Namespace,
  points,
  Tuple,
  tuple,
  typeName,
  Undefined,
  type Value,
} from './values.js';

export function attribute(object: Value, name: string): Value {
  if (object instanceof Undefined) throw new JinjaError(object.hint);
  const own = ownAttribute(object, name);
  if (own !== undefined) return own;
  const found = itemOf(object, name);
  return found === undefined ? missing(object, name) : found;
}

export function item(object: Value, key: Value): Value {
  if (object instanceof Undefined) throw new JinjaError(object.hint);
  const found = itemOf(object, key);
  if (found !== undefined) return found;
  const own = typeof key === 'string' ? ownAttribute(object, key) : undefined;
  return own === undefined ? missing(object, key) : own;
}

function missing(object: Value, key: Value): Undefined {
  const shown = typeof key === 'string' || typeof key === 'number' ? key : typeName(key);
  return new Undefined(`'${typeName(object)} object' has no attribute '${shown}'`);
}

function itemOf(object: Value, key: Value): Value | undefined {
  if (object instanceof Map) return object.get(keyOf(key));
  if ((typeof object === 'string' || Array.isArray(object)) && typeof key === 'number')
    return typeof object === 'string' ? points(object).at(key) : object.at(key);
  return undefined;
}

function ownAttribute(object: Value, name: string): Value | undefined {
  if (object instanceof Namespace) return object.entries.get(name);
  if (object instanceof LoopContext) return loopAttribute(object, name);
  if (object instanceof Callable) return name === 'name' ? object.name : undefined;
  return methodOf(object, name);
}

function loopAttribute(loop: LoopContext, name: string): Value | undefined {
  const { items, index0, depth0 } = loop;
  switch (name) {
    case 'index':
      return index0 + 1;
    case 'index0':
      return index0;
    case 'revindex':
      return items.length - index0;
    case 'revindex0':
      return items.length - index0 - 1;
    case 'first':
      return index0 === 0;
    case 'last':
      return index0 === items.length - 1;
    case 'length':
      return items.length;
    case 'depth':
      return depth0 + 1;
    case 'depth0':
      return depth0;
    case 'previtem':
      return index0 > 0 ? items[index0 - 1] : new Undefined('there is no previous item');
    case 'nextitem':
      return index0 + 1 < items.length ? items[index0 + 1] : new Undefined('there is no next item');
    case 'cycle':
      return new Callable('cycle', (args) => {
        if (args.length === 0) throw new JinjaError('no items for cycling given');
        return args[index0 % args.length]!;
      });
    case 'changed':
      return new Callable('changed', (args) => {
        const same = loop.memory.last !== null && isEqual(loop.memory.last, args);
        loop.memory.last = args;
        return !same;
      });
    default:
      return undefined;
  }
}

/** `object[start:stop:step]`; null for what was left out. */
export function slice(object: Value, start: Value, stop: Value, step: Value): Value {
  if (object instanceof Undefined) throw new JinjaError(object.hint);
  if (typeof object !== 'string' && !Array.isArray(object))
    throw new JinjaError(`'${typeName(object)}' object is not subscriptable`);
  const all = iterate(object);
  const by = whole(step) ?? 1;
  if (by === 0) throw new JinjaError('slice step cannot be zero');
  const clamp = (place: number, low: number, high: number): number =>
    Math.min(Math.max(place < 0 ? place + all.length : place, low), high);
  const [low, high] = by > 0 ? [0, all.length] : [-1, all.length - 1];
  const from = clamp(whole(start) ?? (by > 0 ? 0 : all.length - 1), low, high);
  const given = whole(stop);
  const to = given === null ? (by > 0 ? high : -1) : clamp(given, low, high);
  const picked: Value[] = [];
  for (let at = from; by > 0 ? at < to : at > to; at += by) picked.push(all[at]!);
  if (typeof object === 'string') return picked.join('');
  return object instanceof Tuple ? tuple(picked) : picked;
}

function whole(value: Value): number | null {
  if (value === null) return null;
  if (typeof value !== 'number') throw new JinjaError('slice indices must be integers or None');
  return value;
}
