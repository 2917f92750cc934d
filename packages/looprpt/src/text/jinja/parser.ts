/** Reads a template's blocks into statements. Blocks of template inheritance, and files of other templates, are not for chat templates. */
import { readArguments, readExpression, readFilters, readTuple } from './expressions.js';
import { type Piece, split } from './lexer.js';
import { BLOCK, type Expression, type MacroBody, type Parameter, type Statement, type Target } from './syntax.js';
import { Tokens } from './tokens.js';
import { JinjaError } from './values.js';

/** @throws JinjaError with the line */
export function parse(source: string): Statement[] {
  const parser = new Parser(split(source));
  const body = parser.body([]);
  return body.statements;
}

interface Body {
  statements: Statement[];
  /** The tag that ends it, and its tokens after the name; none at the end of the template. */
  end: { name: string; tokens: Tokens } | null;
}

/** How deep blocks may stand in each other. */
const DEEPEST = 100;

class Parser {
  private at = 0;
  private depth = 0;
  /** The names that the macros around this place have used. */
  private readonly used: Set<string>[] = [];

  constructor(private readonly pieces: readonly Piece[]) {}

  /** Statements up to a tag of these names. */
  body(ends: readonly string[]): Body {
    if (++this.depth > DEEPEST) throw new JinjaError(`blocks stand in each other more than ${DEEPEST} deep`);
    const statements: Statement[] = [];
    for (;;) {
      const piece = this.pieces[this.at++];
      if (piece === undefined) {
        if (ends.length > 0)
          throw new JinjaError(`the template ends where one of these should come: ${ends.join(', ')}`);
        this.depth--;
        return { statements, end: null };
      }
      if (piece.kind === 'text') {
        statements.push({ kind: 'text', text: piece.text });
        continue;
      }
      const tokens = new Tokens(piece.tokens, piece.line, (name) => {
        for (const names of this.used) names.add(name);
      });
      if (piece.kind === 'output') {
        const value = readTuple(tokens);
        tokens.expectEnd();
        statements.push({ kind: 'output', value });
        continue;
      }
      const name = tokens.expectName();
      if (ends.includes(name)) {
        this.depth--;
        return { statements, end: { name, tokens } };
      }
      statements.push(this.statement(name, tokens));
    }
  }

  /** A body that ends with this tag alone. */
  private until(name: string): Statement[] {
    const { statements, end } = this.body([name]);
    end!.tokens.expectEnd();
    return statements;
  }

  private statement(name: string, tokens: Tokens): Statement {
    switch (name) {
      case 'set':
        return this.set(tokens);
      case 'if':
        return this.condition(tokens);
      case 'for':
        return this.loop(tokens);
      case 'break':
      case 'continue':
        tokens.expectEnd();
        return { kind: name };
      case 'macro':
        return { kind: 'macro', name: tokens.expectName(), macro: this.macro(tokens, 'endmacro') };
      case 'call':
        return this.callBlock(tokens);
      case 'filter': {
        const filters = this.filters(tokens, true);
        return { kind: 'filterBlock', filters, body: this.until('endfilter') };
      }
      case 'with':
        return this.withBlock(tokens);
      case 'generation':
        tokens.expectEnd();
        return { kind: 'generation', body: this.until('endgeneration') };
      default:
        throw tokens.error(`unknown tag '${name}'`);
    }
  }

  private set(tokens: Tokens): Statement {
    const target = readTargets(tokens, true);
    if (tokens.skipOperator('=')) {
      const value = readTuple(tokens);
      tokens.expectEnd();
      return { kind: 'set', target, value };
    }
    const filters = this.filters(tokens, false);
    return { kind: 'setBlock', target, filters, body: this.until('endset') };
  }

  /** Filters on the text of a block; `begun`: the first has no line before it. */
  private filters(tokens: Tokens, begun: boolean): Expression {
    let node: Expression = BLOCK;
    if (begun) {
      const name = tokens.expectName();
      const args = tokens.isOperator('(') ? readArguments(tokens) : { positional: [], keywords: [] };
      node = { kind: 'filter', operand: node, name, args };
    }
    node = readFilters(tokens, node);
    tokens.expectEnd();
    return node;
  }

  private condition(tokens: Tokens): Statement {
    const test = readTuple(tokens, false);
    tokens.expectEnd();
    const { statements: body, end } = this.body(['elif', 'else', 'endif']);
    let otherwise: Statement[] = [];
    if (end!.name === 'elif') otherwise = [this.condition(end!.tokens)];
    else {
      end!.tokens.expectEnd();
      if (end!.name === 'else') otherwise = this.until('endif');
    }
    return { kind: 'if', test, body, otherwise };
  }

  private loop(tokens: Tokens): Statement {
    const target = readTargets(tokens, false);
    tokens.expectName('in');
    const items = readTuple(tokens, false, ['recursive']);
    const test = tokens.skipName('if') ? readExpression(tokens) : null;
    const recursive = tokens.skipName('recursive');
    tokens.expectEnd();
    const { statements: body, end } = this.body(['else', 'endfor']);
    end!.tokens.expectEnd();
    const otherwise = end!.name === 'else' ? this.until('endfor') : [];
    return { kind: 'for', target, items, test, recursive, body, otherwise };
  }

  private macro(tokens: Tokens, end: string): MacroBody {
    const names = new Set<string>();
    this.used.push(names);
    const parameters = tokens.isOperator('(') ? readParameters(tokens) : [];
    tokens.expectEnd();
    const body = this.macroBody(end);
    this.used.pop();
    return { parameters, body, takes: { varargs: names.has('varargs'), kwargs: names.has('kwargs') } };
  }

  /** The end of a macro may repeat its name. */
  private macroBody(end: string): Statement[] {
    const { statements, end: tag } = this.body([end]);
    if (tag!.tokens.isName()) tag!.tokens.next();
    tag!.tokens.expectEnd();
    return statements;
  }

  private callBlock(tokens: Tokens): Statement {
    const names = new Set<string>();
    this.used.push(names);
    const parameters = tokens.isOperator('(') ? readParameters(tokens) : [];
    const call = readExpression(tokens);
    if (call.kind !== 'call') throw tokens.error('expected a call');
    tokens.expectEnd();
    const body = this.until('endcall');
    this.used.pop();
    const takes = { varargs: names.has('varargs'), kwargs: names.has('kwargs') };
    return { kind: 'callBlock', call, caller: { parameters, body, takes } };
  }

  private withBlock(tokens: Tokens): Statement {
    const assignments: [Target, Expression][] = [];
    while (!tokens.isEmpty) {
      if (assignments.length > 0) tokens.expectOperator(',');
      const target = readTarget(tokens, false);
      tokens.expectOperator('=');
      assignments.push([target, readExpression(tokens)]);
    }
    return { kind: 'with', assignments, body: this.until('endwith') };
  }
}

function readParameters(tokens: Tokens): Parameter[] {
  const parameters: Parameter[] = [];
  tokens.expectOperator('(');
  while (!tokens.skipOperator(')')) {
    if (parameters.length > 0) tokens.expectOperator(',');
    const name = tokens.expectName();
    const fallback = tokens.skipOperator('=') ? readExpression(tokens) : null;
    parameters.push({ name, fallback });
  }
  return parameters;
}

const RESERVED = ['true', 'True', 'false', 'False', 'none', 'None', 'not', 'and', 'or', 'in', 'is', 'if', 'else'];

function readTargets(tokens: Tokens, attributes: boolean): Target {
  const targets = [readTarget(tokens, attributes)];
  let isTuple = false;
  while (tokens.skipOperator(',')) {
    isTuple = true;
    if (!tokens.isName() && !tokens.isOperator('(')) break;
    if (tokens.isName('in')) break;
    targets.push(readTarget(tokens, attributes));
  }
  return isTuple ? { kind: 'several', targets } : targets[0]!;
}

function readTarget(tokens: Tokens, attributes: boolean): Target {
  if (tokens.skipOperator('(')) {
    const inner = tokens.nested(() => readTargets(tokens, attributes));
    tokens.expectOperator(')');
    return inner;
  }
  const name = tokens.expectName();
  if (RESERVED.includes(name)) throw tokens.error(`can't assign to '${name}'`);
  if (!attributes || !tokens.skipOperator('.')) return { kind: 'name', name };
  return { kind: 'attribute', object: name, name: tokens.expectName() };
}
