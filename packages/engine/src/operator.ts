/**
 * The door to every operator of libtorch: `op('aten::add.Tensor')(a, b)`.
 *
 * Arguments go by position in the order of the operator's schema (`schema('aten::add.Tensor')` shows it), missing ones
 * take the schema's default, and a plain object at the end gives arguments by name. Tensors come back as `Tensor`s; an
 * operator that works in place returns the argument that it changed.
 */

import { Generator } from './generator.js';
import { NativeTensor } from './memory.js';
import { type Handle, type NativeArgument, native, type ReturnKind } from './native.js';
import { Tensor } from './tensor.js';

export type Argument =
  | Tensor
  | Generator
  | number
  | bigint
  | boolean
  | string
  | null
  | undefined
  | readonly (Tensor | number | boolean | string | null)[];
export type NamedArguments = Readonly<Record<string, Argument>>;
export type Result = Tensor | Tensor[] | number | boolean | string | null | undefined | readonly Result[];
export type OperatorFunction = <R = Tensor>(...args: (Argument | NamedArguments)[]) => R;

function toNative(argument: Argument): NativeArgument {
  if (argument instanceof NativeTensor || argument instanceof Generator) return argument.handle;
  if (Array.isArray(argument))
    return argument.map((element: unknown) =>
      element instanceof NativeTensor ? element.handle : element,
    ) as NativeArgument;
  return argument as NativeArgument;
}

function isNamed(argument: Argument | NamedArguments): argument is NamedArguments {
  return (
    typeof argument === 'object' &&
    argument !== null &&
    !Array.isArray(argument) &&
    !(argument instanceof NativeTensor) &&
    !(argument instanceof Generator)
  );
}

function split(name: string): [string, string] {
  const dot = name.indexOf('.');
  return dot < 0 ? [name, ''] : [name.slice(0, dot), name.slice(dot + 1)];
}

function wrap(kind: ReturnKind, value: unknown, args: readonly (Argument | NamedArguments)[]): unknown {
  if (typeof kind === 'number') return args[kind];
  if (kind === 't') return value === null ? null : new Tensor(value as Handle);
  if (kind === 'l') return (value as (Handle | null)[]).map((handle) => (handle === null ? null : new Tensor(handle)));
  return value;
}

const known = new Map<string, OperatorFunction>();

/**
 * The operator of that name ("namespace::name.overload") as a function.
 *
 * @throws if this libtorch has no such operator
 * @example
 * const rolled = op('aten::roll')(x, [1], [0]);
 * const values = op('aten::arange')(5, { dtype: 'float32' });
 */
export function op(name: string): OperatorFunction {
  const cached = known.get(name);
  if (cached) return cached;
  const id = native.resolve(...split(name));
  const { arguments: names, returns } = native.describe(id);
  const call = (...args: (Argument | NamedArguments)[]): unknown => {
    const last = args.at(-1);
    if (isNamed(last)) {
      args = args.slice(0, -1);
      for (const [argument, value] of Object.entries(last)) {
        const position = names.indexOf(argument);
        if (position < 0) throw new TypeError(`${name} has no argument '${argument}'; it has ${names.join(', ')}`);
        args[position] = value;
      }
    }
    const native_ = Array.from(args, (argument) => toNative(argument as Argument));
    const result = native.call(id, ...native_);
    if (returns.length === 1) return wrap(returns[0]!, result, args);
    if (returns.length === 0) return undefined;
    return returns.map((kind, i) => wrap(kind, (result as unknown[])[i], args));
  };
  known.set(name, call as OperatorFunction);
  return call as OperatorFunction;
}

/** The operator's schema as libtorch writes it. */
export function schema(name: string): string {
  return native.describe(native.resolve(...split(name))).schema;
}

/** Whether this libtorch has the operator. */
export function hasOperator(name: string): boolean {
  return operatorNames().has(name);
}

let allNames: Set<string> | undefined;

/** All operators of this libtorch, "namespace::name.overload". */
export function operatorNames(): ReadonlySet<string> {
  allNames ??= new Set(native.operatorNames());
  return allNames;
}
