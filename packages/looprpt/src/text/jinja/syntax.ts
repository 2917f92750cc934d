/** What a template consists of once it is read. */

export type Expression =
  | { kind: 'constant'; value: string | number | boolean | null }
  | { kind: 'float'; value: number }
  | { kind: 'name'; name: string }
  | { kind: 'list' | 'tuple'; items: Expression[] }
  | { kind: 'dict'; entries: [Expression, Expression][] }
  | { kind: 'attribute'; object: Expression; name: string }
  | { kind: 'item'; object: Expression; key: Expression }
  | { kind: 'slice'; object: Expression; start: Expression | null; stop: Expression | null; step: Expression | null }
  | { kind: 'call'; callee: Expression; args: Arguments }
  | { kind: 'filter'; operand: Expression; name: string; args: Arguments }
  | { kind: 'test'; operand: Expression; name: string; args: Arguments; negated: boolean }
  | { kind: 'unary'; operator: '-' | '+' | 'not'; operand: Expression }
  | { kind: 'binary'; operator: string; left: Expression; right: Expression }
  | { kind: 'compare'; first: Expression; rest: { operator: string; operand: Expression }[] }
  | { kind: 'and' | 'or'; left: Expression; right: Expression }
  | { kind: 'conditional'; test: Expression; then: Expression; otherwise: Expression | null };

export interface Arguments {
  positional: { value: Expression; spread: boolean }[];
  /** Without a name: `**` of a dict. */
  keywords: { name: string | null; value: Expression }[];
}

/** What an assignment writes to. */
export type Target =
  | { kind: 'name'; name: string }
  | { kind: 'attribute'; object: string; name: string }
  | { kind: 'several'; targets: Target[] };

export interface Parameter {
  name: string;
  fallback: Expression | null;
}

export interface MacroBody {
  parameters: Parameter[];
  body: Statement[];
  /** Whether the body names `varargs` or `kwargs`, which makes it take any arguments. */
  takes: { varargs: boolean; kwargs: boolean };
}

export type Statement =
  | { kind: 'text'; text: string }
  | { kind: 'output'; value: Expression }
  | { kind: 'set'; target: Target; value: Expression }
  | { kind: 'setBlock'; target: Target; filters: Expression; body: Statement[] }
  | { kind: 'if'; test: Expression; body: Statement[]; otherwise: Statement[] }
  | {
      kind: 'for';
      target: Target;
      items: Expression;
      test: Expression | null;
      recursive: boolean;
      body: Statement[];
      otherwise: Statement[];
    }
  | { kind: 'break' | 'continue' }
  | { kind: 'macro'; name: string; macro: MacroBody }
  | { kind: 'callBlock'; call: Expression; caller: MacroBody }
  | { kind: 'filterBlock'; filters: Expression; body: Statement[] }
  | { kind: 'with'; assignments: [Target, Expression][]; body: Statement[] }
  | { kind: 'generation'; body: Statement[] };

/** Stands for a block's own text where filters are applied to one. */
export const BLOCK: Expression = { kind: 'name', name: '(block)' };
