/** The value of an expression. */
import { attribute, item, slice } from './access.js';
import { negate, operate } from './arithmetic.js';
import { textOf } from './python-text.js';
import type { Scope } from './scope.js';
import { filterNamed } from './sequence-filters.js';
import type { Arguments, Expression } from './syntax.js';
import { testNamed } from './tests.js';
import {
  Callable,
  compare,
  contains,
  type Dict,
  Float,
  isEqual,
  isTrue,
  iterate,
  JinjaError,
  keyOf,
  LoopContext,
  tuple,
  typeName,
  Undefined,
  type Value,
} from './values.js';

export function evaluate(node: Expression, scope: Scope): Value {
  switch (node.kind) {
    case 'constant':
      return node.value;
    case 'float':
      return new Float(node.value);
    case 'name':
      return scope.get(node.name);
    case 'list':
      return node.items.map((inner) => evaluate(inner, scope));
    case 'tuple':
      return tuple(node.items.map((inner) => evaluate(inner, scope)));
    case 'dict':
      return new Map(node.entries.map(([key, value]) => [keyOf(evaluate(key, scope)), evaluate(value, scope)]));
    case 'attribute':
      return attribute(evaluate(node.object, scope), node.name);
    case 'item':
      return item(evaluate(node.object, scope), evaluate(node.key, scope));
    case 'slice': {
      const part = (inner: Expression | null): Value => (inner === null ? null : evaluate(inner, scope));
      return slice(evaluate(node.object, scope), part(node.start), part(node.stop), part(node.step));
    }
    case 'call':
      return call(evaluate(node.callee, scope), node.args, scope);
    case 'filter': {
      const operand = evaluate(node.operand, scope);
      return filterNamed(node.name)(operand, ...evaluateArguments(node.args, scope));
    }
    case 'test':
      return test(node, scope) !== node.negated;
    case 'unary': {
      const operand = evaluate(node.operand, scope);
      if (node.operator === 'not') return !isTrue(operand);
      return node.operator === '-' ? negate(operand) : negate(negate(operand));
    }
    case 'binary':
      return operate(node.operator, evaluate(node.left, scope), evaluate(node.right, scope));
    case 'compare':
      return comparison(node, scope);
    case 'and': {
      const left = evaluate(node.left, scope);
      return isTrue(left) ? evaluate(node.right, scope) : left;
    }
    case 'or': {
      const left = evaluate(node.left, scope);
      return isTrue(left) ? left : evaluate(node.right, scope);
    }
    case 'conditional':
      if (isTrue(evaluate(node.test, scope))) return evaluate(node.then, scope);
      return node.otherwise ? evaluate(node.otherwise, scope) : new Undefined('the condition is false and has no else');
    default:
      return node satisfies never;
  }
}

export function evaluateArguments(args: Arguments, scope: Scope): [Value[], Map<string, Value>] {
  const positional = args.positional.flatMap(({ value, spread }) => {
    const given = evaluate(value, scope);
    return spread ? [...iterate(given)] : [given];
  });
  const keywords = new Map<string, Value>();
  for (const { name, value } of args.keywords) {
    const given = evaluate(value, scope);
    if (name !== null) keywords.set(name, given);
    else if (given instanceof Map) for (const [key, inner] of given as Dict) keywords.set(textOf(key), inner);
    else throw new JinjaError(`what stands after ** must be a mapping, not ${typeName(given)}`);
  }
  return [positional, keywords];
}

export function call(
  callee: Value,
  args: Arguments,
  scope: Scope,
  more: ReadonlyMap<string, Value> = new Map(),
): Value {
  if (callee instanceof Undefined) throw new JinjaError(callee.hint);
  const [positional, keywords] = evaluateArguments(args, scope);
  for (const [name, value] of more) keywords.set(name, value);
  if (callee instanceof LoopContext && callee.recurse) return callee.recurse(positional[0] ?? null);
  if (!(callee instanceof Callable)) throw new JinjaError(`'${typeName(callee)}' object is not callable`);
  return callee.call(positional, keywords);
}

function test(node: Expression & { kind: 'test' }, scope: Scope): boolean {
  const operand = evaluate(node.operand, scope);
  const [[argument = null]] = evaluateArguments(node.args, scope);
  if (node.name === 'filter' || node.name === 'test') return isKnown(node.name, textOf(operand));
  return testNamed(node.name)(operand, argument);
}

function isKnown(kind: 'filter' | 'test', name: string): boolean {
  try {
    if (kind === 'filter') filterNamed(name);
    else testNamed(name);
    return true;
  } catch {
    return false;
  }
}

/** `a < b < c` is `a < b and b < c`. */
function comparison(node: Expression & { kind: 'compare' }, scope: Scope): boolean {
  let left = evaluate(node.first, scope);
  return node.rest.every(({ operator, operand }) => {
    const right = evaluate(operand, scope);
    const holds = compared(operator, left, right);
    left = right;
    return holds;
  });
}

function compared(operator: string, left: Value, right: Value): boolean {
  switch (operator) {
    case '==':
      return isEqual(left, right);
    case '!=':
      return !isEqual(left, right);
    case 'in':
      return contains(right, left);
    case 'not in':
      return !contains(right, left);
    default: {
      for (const value of [left, right]) if (value instanceof Undefined) throw new JinjaError(value.hint);
      const order = compare(left, right);
      if (operator === '<') return order < 0;
      if (operator === '<=') return order <= 0;
      return operator === '>' ? order > 0 : order >= 0;
    }
  }
}
