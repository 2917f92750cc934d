/** Reads expressions, with Jinja's order of operators: `if`, `or`, `and`, `not`, comparisons, `+ -`, `~`, `* / // %`, `**`, signs, filters. */
import type { Arguments, Expression } from './syntax.js';
import type { Tokens } from './tokens.js';

export function readExpression(tokens: Tokens, withCondition = true): Expression {
  return tokens.nested(() => (withCondition ? readConditional(tokens) : readOr(tokens)));
}

/** One expression, or several with commas between them as a tuple. */
export function readTuple(tokens: Tokens, withCondition = true, ends: readonly string[] = []): Expression {
  const items = [readExpression(tokens, withCondition)];
  let isTuple = false;
  while (tokens.skipOperator(',')) {
    isTuple = true;
    if (tokens.isEmpty || tokens.isOperator(')') || (ends.length > 0 && tokens.isName(...ends))) break;
    items.push(readExpression(tokens, withCondition));
  }
  return isTuple ? { kind: 'tuple', items } : items[0]!;
}

function readConditional(tokens: Tokens): Expression {
  let then = readOr(tokens);
  while (tokens.skipName('if')) {
    const test = readOr(tokens);
    const otherwise = tokens.skipName('else') ? readExpression(tokens) : null;
    then = { kind: 'conditional', test, then, otherwise };
  }
  return then;
}

function readOr(tokens: Tokens): Expression {
  let left = readAnd(tokens);
  while (tokens.skipName('or')) left = { kind: 'or', left, right: readAnd(tokens) };
  return left;
}

function readAnd(tokens: Tokens): Expression {
  let left = readNot(tokens);
  while (tokens.skipName('and')) left = { kind: 'and', left, right: readNot(tokens) };
  return left;
}

function readNot(tokens: Tokens): Expression {
  if (!tokens.skipName('not')) return readComparison(tokens);
  return { kind: 'unary', operator: 'not', operand: tokens.nested(() => readNot(tokens)) };
}

function readComparison(tokens: Tokens): Expression {
  const first = readSum(tokens);
  const rest: { operator: string; operand: Expression }[] = [];
  for (;;) {
    let operator: string;
    if (tokens.isOperator('==', '!=', '<', '<=', '>', '>=')) operator = tokens.next().text;
    else if (tokens.skipName('in')) operator = 'in';
    else if (tokens.isName('not')) {
      tokens.next();
      tokens.expectName('in');
      operator = 'not in';
    } else break;
    rest.push({ operator, operand: readSum(tokens) });
  }
  return rest.length === 0 ? first : { kind: 'compare', first, rest };
}

/** One level of operators that are all taken from left to right. */
function chain(operators: string[], below: (tokens: Tokens) => Expression): (tokens: Tokens) => Expression {
  return (tokens) => {
    let left = below(tokens);
    while (tokens.isOperator(...operators))
      left = { kind: 'binary', operator: tokens.next().text, left, right: below(tokens) };
    return left;
  };
}

const readPower = chain(['**'], (tokens) => readUnary(tokens));
const readProduct = chain(['*', '/', '//', '%'], readPower);
const readConcatenation = chain(['~'], readProduct);
const readSum = chain(['+', '-'], readConcatenation);

function readUnary(tokens: Tokens, withFilters = true): Expression {
  let node: Expression;
  if (tokens.isOperator('-', '+')) {
    const operator = tokens.next().text as '-' | '+';
    node = { kind: 'unary', operator, operand: tokens.nested(() => readUnary(tokens, false)) };
  } else node = readPrimary(tokens);
  node = readPostfix(tokens, node);
  return withFilters ? readFilters(tokens, node) : node;
}

const CONSTANTS: Record<string, boolean | null> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
};

function readPrimary(tokens: Tokens): Expression {
  const token = tokens.next();
  if (token.kind === 'name') {
    if (Object.hasOwn(CONSTANTS, token.text)) return { kind: 'constant', value: CONSTANTS[token.text]! };
    tokens.onName(token.text);
    return { kind: 'name', name: token.text };
  }
  if (token.kind === 'integer') return { kind: 'constant', value: token.value };
  if (token.kind === 'float') return { kind: 'float', value: token.value };
  if (token.kind === 'string') {
    let value = token.text;
    while (tokens.current?.kind === 'string') value += tokens.next().text;
    return { kind: 'constant', value };
  }
  if (token.text === '(') {
    if (tokens.skipOperator(')')) return { kind: 'tuple', items: [] };
    const inner = readTuple(tokens);
    tokens.expectOperator(')');
    return inner;
  }
  if (token.text === '[') return { kind: 'list', items: readSeparated(tokens, ']', () => readExpression(tokens)) };
  if (token.text === '{') {
    const entries = readSeparated(tokens, '}', (): [Expression, Expression] => {
      const key = readExpression(tokens);
      tokens.expectOperator(':');
      return [key, readExpression(tokens)];
    });
    return { kind: 'dict', entries };
  }
  throw tokens.error(`unexpected '${token.text}'`);
}

function readSeparated<T>(tokens: Tokens, close: string, read: () => T): T[] {
  const items: T[] = [];
  while (!tokens.skipOperator(close)) {
    if (items.length > 0) {
      tokens.expectOperator(',');
      if (tokens.skipOperator(close)) break;
    }
    items.push(read());
  }
  return items;
}

/** Attributes, items and calls. */
export function readPostfix(tokens: Tokens, from: Expression): Expression {
  let node = from;
  for (;;) {
    if (tokens.skipOperator('.')) {
      const token = tokens.next();
      if (token.kind === 'name') node = { kind: 'attribute', object: node, name: token.text };
      else if (token.kind === 'integer')
        node = { kind: 'item', object: node, key: { kind: 'constant', value: token.value } };
      else throw tokens.error('expected a name or a number after the point');
    } else if (tokens.skipOperator('[')) node = readSubscript(tokens, node);
    else if (tokens.isOperator('(')) node = { kind: 'call', callee: node, args: readArguments(tokens) };
    else return node;
  }
}

function readSubscript(tokens: Tokens, object: Expression): Expression {
  const part = (): Expression | null => (tokens.isOperator(':', ']') ? null : readExpression(tokens));
  const start = part();
  if (!tokens.skipOperator(':')) {
    tokens.expectOperator(']');
    if (start === null) throw tokens.error('expected an index between the brackets');
    return { kind: 'item', object, key: start };
  }
  const stop = part();
  const step = tokens.skipOperator(':') ? part() : null;
  tokens.expectOperator(']');
  return { kind: 'slice', object, start, stop, step };
}

export function readArguments(tokens: Tokens): Arguments {
  const args: Arguments = { positional: [], keywords: [] };
  tokens.expectOperator('(');
  readSeparated(tokens, ')', () => {
    if (tokens.skipOperator('**')) args.keywords.push({ name: null, value: readExpression(tokens) });
    else if (tokens.skipOperator('*')) args.positional.push({ value: readExpression(tokens), spread: true });
    else if (tokens.isName() && tokens.isFollowedBy('=')) {
      const name = tokens.expectName();
      tokens.expectOperator('=');
      args.keywords.push({ name, value: readExpression(tokens) });
    } else if (args.keywords.length > 0) throw tokens.error('a positional argument after one with a name');
    else args.positional.push({ value: readExpression(tokens), spread: false });
  });
  return args;
}

/** `| filter(...)`, `is test`, and calls of what a filter gives. */
export function readFilters(tokens: Tokens, from: Expression): Expression {
  let node = from;
  for (;;) {
    if (tokens.skipOperator('|')) {
      const name = dottedName(tokens);
      const args = tokens.isOperator('(') ? readArguments(tokens) : { positional: [], keywords: [] };
      node = { kind: 'filter', operand: node, name, args };
    } else if (tokens.skipName('is')) node = readTest(tokens, node);
    else if (tokens.isOperator('(')) node = { kind: 'call', callee: node, args: readArguments(tokens) };
    else return node;
  }
}

function readTest(tokens: Tokens, operand: Expression): Expression {
  const negated = tokens.skipName('not');
  const name = dottedName(tokens);
  let args: Arguments = { positional: [], keywords: [] };
  const { current } = tokens;
  if (tokens.isOperator('(')) args = readArguments(tokens);
  else if (
    current !== undefined &&
    (current.kind !== 'operator' || '[{'.includes(current.text)) &&
    !tokens.isName('else', 'or', 'and')
  ) {
    if (tokens.isName('is')) throw tokens.error("tests cannot be chained with 'is'");
    const value = readPostfix(tokens, readPrimary(tokens));
    args = { positional: [{ value, spread: false }], keywords: [] };
  }
  return { kind: 'test', operand, name, args, negated };
}

function dottedName(tokens: Tokens): string {
  let name = tokens.expectName();
  while (tokens.skipOperator('.')) name += `.${tokens.expectName()}`;
  return name;
}
