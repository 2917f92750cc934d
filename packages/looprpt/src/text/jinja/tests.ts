/** What stands after `is`. */
import { Callable, compare, contains, Float, isEqual, JinjaError, numberOf, Undefined, type Value } from './values.js';

type Test = (value: Value, argument: Value) => boolean;

function whole(value: Value, name: string): number {
  const number = numberOf(value);
  if (number === null) throw new JinjaError(`'is ${name}' takes a number`);
  return number;
}

const remainder = (a: number, b: number): number => ((a % b) + b) % b;
const letters = (value: Value): string => (typeof value === 'string' ? value : '');
const equals: Test = (value, other) => isEqual(value, other);
const differs: Test = (value, other) => !isEqual(value, other);
const less: Test = (value, other) => compare(value, other) < 0;
const atMost: Test = (value, other) => compare(value, other) <= 0;
const greater: Test = (value, other) => compare(value, other) > 0;
const atLeast: Test = (value, other) => compare(value, other) >= 0;

export const TESTS: Readonly<Record<string, Test>> = {
  defined: (value) => !(value instanceof Undefined),
  undefined: (value) => value instanceof Undefined,
  none: (value) => value === null,
  boolean: (value) => typeof value === 'boolean',
  true: (value) => value === true,
  false: (value) => value === false,
  integer: (value) => typeof value === 'number',
  float: (value) => value instanceof Float,
  number: (value) => numberOf(value) !== null,
  string: (value) => typeof value === 'string',
  mapping: (value) => value instanceof Map,
  sequence: (value) => typeof value === 'string' || Array.isArray(value) || value instanceof Map,
  iterable: (value) =>
    typeof value === 'string' || Array.isArray(value) || value instanceof Map || value instanceof Undefined,
  callable: (value) => value instanceof Callable,
  sameas: (value, other) => value === other,
  escaped: () => false,
  odd: (value) => remainder(whole(value, 'odd'), 2) === 1,
  even: (value) => remainder(whole(value, 'even'), 2) === 0,
  divisibleby: (value, by) => remainder(whole(value, 'divisibleby'), whole(by, 'divisibleby')) === 0,
  lower: (value) => /\p{L}/u.test(letters(value)) && letters(value) === letters(value).toLowerCase(),
  upper: (value) => /\p{L}/u.test(letters(value)) && letters(value) === letters(value).toUpperCase(),
  in: (value, container) => contains(container, value),
  eq: equals,
  equalto: equals,
  '==': equals,
  ne: differs,
  '!=': differs,
  lt: less,
  lessthan: less,
  '<': less,
  le: atMost,
  '<=': atMost,
  gt: greater,
  greaterthan: greater,
  '>': greater,
  ge: atLeast,
  '>=': atLeast,
};

/** @throws JinjaError for a test that is none */
export function testNamed(name: string): Test {
  if (!Object.hasOwn(TESTS, name)) throw new JinjaError(`no test named '${name}'`);
  return TESTS[name]!;
}
