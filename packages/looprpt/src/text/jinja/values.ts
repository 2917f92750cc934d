/**
 * The values of a template, with Python's meaning: what counts as true, what equals what, what can be iterated.
 *
 * Strings, whole numbers, booleans and None are JavaScript's own; the rest are the classes below. Strings are counted in code points.
 */

/** A template that cannot be read, or that does what Jinja forbids. */
export class JinjaError extends Error {}

/** What a name or key that is not there gives: empty when printed or iterated, an error when used further. */
export class Undefined {
  constructor(readonly hint: string) {}
}

/** A number that Python would write with a point. */
export class Float {
  constructor(readonly value: number) {}
}

export class Tuple extends Array<Value> {}

/** What `namespace()` makes: the one thing whose attributes a template may set. */
export class Namespace {
  constructor(readonly entries: Map<string, Value>) {}
}

export type Keywords = ReadonlyMap<string, Value>;

export class Callable {
  constructor(
    readonly name: string,
    readonly call: (args: Value[], keywords: Keywords) => Value,
  ) {}
}

/** What `loop` is inside of `for`. */
export class LoopContext {
  constructor(
    readonly items: readonly Value[],
    readonly index0: number,
    readonly depth0: number,
    /** What `loop.changed` was last asked with; one for all rounds of a loop. */
    readonly memory: { last: Value[] | null },
    /** Renders the loop's body with other items; null unless the loop is recursive. */
    readonly recurse: ((items: Value) => string) | null,
  ) {}
}

export type Dict = Map<Value, Value>;
export type Value =
  | string
  | number
  | boolean
  | null
  | Undefined
  | Float
  | Value[]
  | Tuple
  | Dict
  | Namespace
  | Callable
  | LoopContext;

export function tuple(items: Iterable<Value>): Tuple {
  const made = new Tuple();
  for (const item of items) made.push(item);
  return made;
}

/** JSON and plain objects as values; keys without a value are left out. */
export function toValue(input: unknown): Value {
  if (input === null || typeof input === 'string' || typeof input === 'boolean') return input;
  if (typeof input === 'number') return Number.isInteger(input) ? input : new Float(input);
  if (Array.isArray(input)) return input.map(toValue);
  if (typeof input === 'object') {
    const entries = Object.entries(input as object).filter(([, value]) => value !== undefined);
    return new Map(entries.map(([key, value]) => [key, toValue(value)]));
  }
  throw new JinjaError(`a template takes no ${typeof input}`);
}

/** Python's name of a value's type, for messages. */
export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  if (typeof value === 'string') return 'str';
  if (typeof value === 'number') return 'int';
  if (typeof value === 'boolean') return 'bool';
  if (value instanceof Float) return 'float';
  if (value instanceof Tuple) return 'tuple';
  if (Array.isArray(value)) return 'list';
  if (value instanceof Map) return 'dict';
  return value.constructor.name;
}

/** The code points of a string. */
export function points(text: string): string[] {
  return Array.from(text);
}

export function isTrue(value: Value): boolean {
  if (value === null || value instanceof Undefined) return false;
  if (value instanceof Float) return value.value !== 0;
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  return typeof value === 'object' ? true : Boolean(value);
}

/** A number or a boolean as a number, else null. */
export function numberOf(value: Value): number | null {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return Number(value);
  return value instanceof Float ? value.value : null;
}

export function isEqual(a: Value, b: Value): boolean {
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== null && y !== null) return x === y;
  if (a instanceof Undefined) return b instanceof Undefined;
  if (Array.isArray(a) && Array.isArray(b)) {
    if (a instanceof Tuple !== b instanceof Tuple || a.length !== b.length) return false;
    return a.every((item, i) => isEqual(item, b[i]!));
  }
  if (a instanceof Map && b instanceof Map)
    return a.size === b.size && [...a].every(([key, item]) => b.has(key) && isEqual(item, b.get(key)!));
  return a === b;
}

/** Negative, zero or positive, as `a` comes before, with or after `b`. @throws JinjaError where Python has no order */
export function compare(a: Value, b: Value): number {
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== null && y !== null) return x - y;
  if (typeof a === 'string' && typeof b === 'string') return compareTexts(a, b);
  if (Array.isArray(a) && Array.isArray(b) && a instanceof Tuple === b instanceof Tuple) {
    const apart = a.findIndex((item, i) => i >= b.length || !isEqual(item, b[i]!));
    if (apart < 0) return a.length - b.length;
    return apart < b.length ? compare(a[apart]!, b[apart]!) : 1;
  }
  throw new JinjaError(`'<' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

/** By code points; JavaScript's own order is by halves of them. */
function compareTexts(a: string, b: string): number {
  const [x, y] = [points(a), points(b)];
  const apart = x.findIndex((point, i) => point !== y[i]);
  if (apart < 0) return x.length - y.length;
  return apart < y.length ? x[apart]!.codePointAt(0)! - y[apart]!.codePointAt(0)! : 1;
}

/** @throws JinjaError when `container` holds nothing */
export function contains(container: Value, item: Value): boolean {
  if (typeof container === 'string') {
    if (typeof item !== 'string')
      throw new JinjaError(`'in <string>' requires string as left operand, not ${typeName(item)}`);
    return container.includes(item);
  }
  if (container instanceof Map) return container.has(keyOf(item));
  return iterate(container).some((one) => isEqual(one, item));
}

/** A key of a dict; a float that is whole is the whole number, as in Python. */
export function keyOf(value: Value): Value {
  return value instanceof Float && Number.isInteger(value.value) ? value.value : value;
}

/** What `for` walks through. @throws JinjaError when nothing can */
export function iterate(value: Value): readonly Value[] {
  if (Array.isArray(value)) return value;
  if (typeof value === 'string') return points(value);
  if (value instanceof Map) return [...value.keys()];
  if (value instanceof Undefined) return [];
  throw new JinjaError(`'${typeName(value)}' object is not iterable`);
}

export function lengthOf(value: Value): number {
  if (typeof value === 'string') return /[\ud800-\udfff]/.test(value) ? points(value).length : value.length;
  if (Array.isArray(value) || value instanceof Map || value instanceof Undefined) return iterate(value).length;
  throw new JinjaError(`object of type '${typeName(value)}' has no len()`);
}

/**
 * The values of named parameters, given by place or by name; undefined for those left out.
 * @throws JinjaError for too many, and for a name that is none
 */
export function bind(
  name: string,
  parameters: readonly string[],
  args: Value[],
  keywords: Keywords,
): (Value | undefined)[] {
  if (args.length > parameters.length)
    throw new JinjaError(`${name}() takes at most ${parameters.length} arguments (${args.length} given)`);
  for (const key of keywords.keys())
    if (!parameters.includes(key)) throw new JinjaError(`${name}() got an unexpected keyword argument '${key}'`);
  return parameters.map((parameter, i) => (i < args.length ? args[i] : keywords.get(parameter)));
}
