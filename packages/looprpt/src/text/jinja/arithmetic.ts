/** What operators do, as in Python: whole numbers stay whole but for `/`, remainders have the divisor's sign, texts and lists add up. */
import { percent } from './formats.js';
import { textOf } from './python-text.js';
import { Float, JinjaError, numberOf, Tuple, tuple, typeName, Undefined, type Value } from './values.js';

/** The longest text or list that an operator makes. */
const LONGEST = 1 << 24;

export function add(a: Value, b: Value): Value {
  if (typeof a === 'string' && typeof b === 'string') return bounded(a.length + b.length, () => a + b);
  if (Array.isArray(a) && Array.isArray(b) && a instanceof Tuple === b instanceof Tuple) {
    const both = (): Value[] => (a instanceof Tuple ? tuple([...a, ...b]) : [...a, ...b]);
    return bounded(a.length + b.length, both);
  }
  return onNumbers('+', a, b, (x, y) => x + y);
}

/** @throws JinjaError for operands that do not go together, and for results without bound */
export function operate(operator: string, a: Value, b: Value): Value {
  switch (operator) {
    case '+':
      return add(a, b);
    case '-':
      return onNumbers('-', a, b, (x, y) => x - y);
    case '*':
      return multiply(a, b);
    case '/':
      return new Float(divided('/', a, b, (x, y) => x / y));
    case '//':
      return onNumbers('//', a, b, () => divided('//', a, b, (x, y) => Math.floor(x / y)));
    case '%':
      if (typeof a === 'string') return percent(a, b);
      return onNumbers('%', a, b, () => divided('%', a, b, (x, y) => x - y * Math.floor(x / y)));
    case '**':
      return power(a, b);
    case '~':
      return concatenate(textOf(a), textOf(b));
    default:
      throw new JinjaError(`no operator ${operator}`);
  }
}

export function negate(value: Value): Value {
  const number = numberOf(value);
  if (number === null) throw new JinjaError(`bad operand type for unary -: '${typeName(value)}'`);
  return value instanceof Float ? new Float(-number) : 0 - number;
}

function concatenate(a: string, b: string): Value {
  return bounded(a.length + b.length, () => a + b);
}

function bounded<T>(length: number, make: () => T): T {
  if (length > LONGEST) throw new JinjaError(`a text or list of ${length} places; ${LONGEST} are the most`);
  return make();
}

function numbers(operator: string, a: Value, b: Value): [number, number] {
  for (const value of [a, b]) if (value instanceof Undefined) throw new JinjaError(value.hint);
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x === null || y === null)
    throw new JinjaError(`unsupported operand type(s) for ${operator}: '${typeName(a)}' and '${typeName(b)}'`);
  return [x, y];
}

function onNumbers(operator: string, a: Value, b: Value, compute: (x: number, y: number) => number): Value {
  const result = compute(...numbers(operator, a, b));
  return a instanceof Float || b instanceof Float ? new Float(result) : result;
}

function divided(operator: string, a: Value, b: Value, compute: (x: number, y: number) => number): number {
  const [x, y] = numbers(operator, a, b);
  if (y === 0) throw new JinjaError('division by zero');
  return compute(x, y);
}

function multiply(a: Value, b: Value): Value {
  const [repeated, times] = typeof a === 'string' || Array.isArray(a) ? [a, b] : [b, a];
  if ((typeof repeated === 'string' || Array.isArray(repeated)) && typeof times === 'number') {
    const count = Math.max(times, 0);
    if (typeof repeated === 'string') return bounded(repeated.length * count, () => repeated.repeat(count));
    const items = bounded(repeated.length * count, () => Array.from({ length: count }, () => [...repeated]).flat(1));
    return repeated instanceof Tuple ? tuple(items) : items;
  }
  return onNumbers('*', a, b, (x, y) => x * y);
}

function power(a: Value, b: Value): Value {
  const [x, y] = numbers('**', a, b);
  const result = x ** y;
  if (!Number.isFinite(result)) throw new JinjaError('a power that is no finite number');
  return a instanceof Float || b instanceof Float || y < 0 ? new Float(result) : result;
}
