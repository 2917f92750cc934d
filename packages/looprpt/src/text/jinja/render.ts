/** Runs a template's statements. What it writes and how often it goes round a loop or calls a macro is bounded. */
import { call, evaluate } from './evaluate.js';
import { textOf } from './python-text.js';
import { Scope } from './scope.js';
import type { MacroBody, Statement, Target } from './syntax.js';
import {
  Callable,
  isTrue,
  iterate,
  JinjaError,
  type Keywords,
  LoopContext,
  Namespace,
  tuple,
  typeName,
  Undefined,
  type Value,
} from './values.js';

export interface Limits {
  /** Characters that may be written. */
  characters: number;
  /** Rounds of loops and calls of macros, all together. */
  rounds: number;
}

/** Two files of a model's vocabulary, or a conversation of a million messages; no chat template comes near. */
export const LIMITS: Limits = { characters: 1 << 26, rounds: 1 << 23 };

/** Macros may call themselves, but not for ever. */
const DEEPEST_CALL = 200;

type Leave = 'break' | 'continue' | null;

export class Renderer {
  private written = 0;
  private rounds = 0;
  private calls = 0;

  constructor(private readonly limits: Limits) {}

  render(body: readonly Statement[], scope: Scope): string {
    const parts: string[] = [];
    this.run(body, scope, parts);
    return parts.join('');
  }

  /** @returns whether a `break` or `continue` left the body */
  private run(body: readonly Statement[], scope: Scope, out: string[]): Leave {
    for (const statement of body) {
      const leave = this.step(statement, scope, out);
      if (leave) return leave;
    }
    return null;
  }

  private step(statement: Statement, scope: Scope, out: string[]): Leave {
    switch (statement.kind) {
      case 'text':
        return this.write(statement.text, out);
      case 'output':
        return this.write(textOf(evaluate(statement.value, scope)), out);
      case 'set':
        assign(statement.target, evaluate(statement.value, scope), scope);
        return null;
      case 'setBlock':
        assign(statement.target, this.filtered(statement, scope), scope);
        return null;
      case 'filterBlock':
        return this.write(textOf(this.filtered(statement, scope)), out);
      case 'if':
        return this.run(isTrue(evaluate(statement.test, scope)) ? statement.body : statement.otherwise, scope, out);
      case 'for':
        return this.loop(statement, evaluate(statement.items, scope), scope, out, 0);
      case 'break':
      case 'continue':
        return statement.kind;
      case 'macro':
        scope.set(statement.name, this.macro(statement.name, statement.macro, scope));
        return null;
      case 'callBlock': {
        const caller = this.macro('caller', statement.caller, scope);
        const { callee, args } = statement.call as typeof statement.call & { kind: 'call' };
        return this.write(textOf(call(evaluate(callee, scope), args, scope, new Map([['caller', caller]]))), out);
      }
      case 'with': {
        const inner = new Scope(scope);
        for (const [target, value] of statement.assignments) assign(target, evaluate(value, scope), inner);
        return this.run(statement.body, inner, out);
      }
      case 'generation':
        return this.run(statement.body, new Scope(scope), out);
      default:
        return statement satisfies never;
    }
  }

  private write(text: string, out: string[]): null {
    this.written += text.length;
    if (this.written > this.limits.characters)
      throw new JinjaError(`the template writes more than ${this.limits.characters} characters`);
    out.push(text);
    return null;
  }

  private round(): void {
    if (++this.rounds > this.limits.rounds)
      throw new JinjaError(`the template goes round its loops more than ${this.limits.rounds} times`);
  }

  private filtered(statement: Statement & { kind: 'setBlock' | 'filterBlock' }, scope: Scope): Value {
    const inner = new Scope(scope);
    inner.set('(block)', this.render(statement.body, inner));
    return evaluate(statement.filters, inner);
  }

  private loop(
    statement: Statement & { kind: 'for' },
    given: Value,
    outer: Scope,
    out: string[],
    depth: number,
  ): Leave {
    if (depth > DEEPEST_CALL) throw new JinjaError(`a loop calls itself more than ${DEEPEST_CALL} deep`);
    const { target, test } = statement;
    let items = iterate(given);
    if (test)
      items = items.filter((one) => {
        this.round();
        const scope = new Scope(outer);
        assign(target, one, scope);
        return isTrue(evaluate(test, scope));
      });
    if (items.length === 0) return this.run(statement.otherwise, new Scope(outer), out);
    const memory = { last: null };
    for (const [index, one] of items.entries()) {
      this.round();
      const scope = new Scope(outer);
      assign(target, one, scope);
      const recurse = (inner: Value): string => {
        const parts: string[] = [];
        this.loop(statement, inner, outer, parts, depth + 1);
        return parts.join('');
      };
      scope.set('loop', new LoopContext(items, index, depth, memory, statement.recursive ? recurse : null));
      if (this.run(statement.body, scope, out) === 'break') break;
    }
    return null;
  }

  private macro(name: string, { parameters, body, takes }: MacroBody, outer: Scope): Callable {
    return new Callable(name, (args: Value[], keywords: Keywords) => {
      this.round();
      if (++this.calls > DEEPEST_CALL) throw new JinjaError(`macros call each other more than ${DEEPEST_CALL} deep`);
      const scope = new Scope(outer);
      const rest = new Map(keywords);
      const caller = rest.get('caller');
      rest.delete('caller');
      if (caller !== undefined) scope.set('caller', caller);
      parameters.forEach((parameter, i) => {
        const value = i < args.length ? args[i] : rest.get(parameter.name);
        rest.delete(parameter.name);
        if (value !== undefined) scope.set(parameter.name, value);
        else
          scope.set(
            parameter.name,
            parameter.fallback
              ? evaluate(parameter.fallback, scope)
              : new Undefined(`parameter '${parameter.name}' was not provided`),
          );
      });
      const more = args.slice(parameters.length);
      if (more.length > 0 && !takes.varargs)
        throw new JinjaError(`macro '${name}' takes not more than ${parameters.length} argument(s)`);
      const [unknown] = rest.keys();
      if (unknown !== undefined && !takes.kwargs)
        throw new JinjaError(`macro '${name}' takes no keyword argument '${unknown}'`);
      if (takes.varargs) scope.set('varargs', tuple(more));
      if (takes.kwargs) scope.set('kwargs', new Map<Value, Value>(rest));
      const text = this.render(body, scope);
      this.calls--;
      return text;
    });
  }
}

function assign(target: Target, value: Value, scope: Scope): void {
  if (target.kind === 'name') {
    scope.set(target.name, value);
    return;
  }
  if (target.kind === 'attribute') {
    const object = scope.get(target.object);
    if (!(object instanceof Namespace)) throw new JinjaError('cannot assign attribute on non-namespace object');
    object.entries.set(target.name, value);
    return;
  }
  const items = iterate(value);
  if (items.length !== target.targets.length)
    throw new JinjaError(`${items.length} values of a ${typeName(value)} for ${target.targets.length} names`);
  for (const [i, inner] of target.targets.entries()) assign(inner, items[i]!, scope);
}
