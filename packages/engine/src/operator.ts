/**
 * The door to every operator of libtorch: `op('aten::add.Tensor')(a, b)`.
 *
 * Arguments go by position in the order of the operator's schema (`schema('aten::add.Tensor')` shows it), missing ones
 * take the schema's default, and a plain object at the end gives arguments by name. Tensors come back as `Tensor`s; an
 * operator that works in place returns the argument that it changed.
 */
import { Generator } from './generator.js';
import { NativeTensor } from './memory.js';
import { type ArgumentDescription, type Handle, type NativeArgument, native, type ValueKind } from './native.js';
import { Tensor } from './tensor.js';

type List = readonly (Tensor | number | bigint | boolean | string | null | List)[];
export type Argument = Tensor | Generator | number | bigint | boolean | string | null | undefined | List;
export type NamedArguments = Readonly<Record<string, Argument>>;
export type OperatorFunction = <R = Tensor>(...args: (Argument | NamedArguments)[]) => R;

const EXPECTED: Record<ValueKind, string> = {
  t: 'a tensor',
  l: 'a list of tensors',
  g: 'a Generator',
  v: 'neither a tensor nor a generator',
};

/** A tensor and a number look alike to the addon, where tensors are handles, so their kinds are checked here. */
function toNative(value: Argument, { name, kind }: ArgumentDescription, operator: string): NativeArgument {
  if (value === null || value === undefined) return value;
  if (kind === 't' && value instanceof NativeTensor) return value.handle;
  if (kind === 'v' && isPlain(value)) return value as NativeArgument;
  if (kind === 'l' && Array.isArray(value)) return (value as List).map((element) => toHandles(element, name, operator));
  if (kind === 'g' && value instanceof Generator) return value.handle;
  throw new TypeError(`${operator}: argument '${name}': expected ${EXPECTED[kind]}`);
}

function toHandles(element: List[number], name: string, operator: string): NativeArgument {
  if (element === null) return null;
  if (element instanceof NativeTensor) return element.handle;
  if (Array.isArray(element)) return (element as List).map((inner) => toHandles(inner, name, operator));
  throw new TypeError(`${operator}: argument '${name}': expected ${EXPECTED.l}`);
}

function isPlain(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isPlain);
  return !(value instanceof NativeTensor) && !(value instanceof Generator);
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

/** All arguments by position. */
function positioned(
  given: readonly (Argument | NamedArguments)[],
  declared: readonly ArgumentDescription[],
  operator: string,
): readonly Argument[] {
  const named = given.at(-1);
  if (!isNamed(named)) return given as readonly Argument[];
  const args = given.slice(0, -1) as Argument[];
  for (const [name, value] of Object.entries(named)) {
    const position = declared.findIndex((argument) => argument.name === name);
    const problem =
      position < 0 ? 'there is none of that name' : position < given.length - 1 ? 'it is given twice' : null;
    if (problem) {
      const names = declared.map((argument) => argument.name).join(', ');
      throw new TypeError(`${operator}: argument '${name}': ${problem}; the arguments are ${names}`);
    }
    args[position] = value;
  }
  return args;
}

function split(name: string): [string, string] {
  const dot = name.indexOf('.');
  return dot < 0 ? [name, ''] : [name.slice(0, dot), name.slice(dot + 1)];
}

type Handles = Handle | null | undefined | readonly Handles[];

function toTensors(handles: Handles): unknown {
  if (handles === null || handles === undefined) return null;
  return typeof handles === 'number' ? new Tensor(handles) : handles.map(toTensors);
}

function fromNative(kind: ValueKind | number, value: unknown, args: readonly Argument[]): unknown {
  if (typeof kind === 'number') return args[kind];
  return kind === 'v' ? value : toTensors(value as Handles);
}

/** An operator in place may have given its tensor another shape. */
function forgetShapes(value: Argument): void {
  if (value instanceof Tensor) value.forgetShape();
  else if (Array.isArray(value)) for (const element of value as List) forgetShapes(element);
}

const known = new Map<string, OperatorFunction>();

/**
 * The operator of that name ("namespace::name.overload") as a function. Its result is what the schema says: a tensor,
 * a number, a list of these, an array where there are several results, undefined where there is none.
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
  const { arguments: declared, returns } = native.describe(id);
  const changed = declared.flatMap(({ changes }, position) => (changes ? [position] : []));
  const call = (...given: (Argument | NamedArguments)[]): unknown => {
    const args = positioned(given, declared, name);
    const values: NativeArgument[] = [];
    // one too many is for the addon to complain about
    for (let i = 0; i < args.length; i++) values.push(declared[i] && toNative(args[i], declared[i]!, name));
    const result = native.call(id, ...values);
    for (const position of changed) forgetShapes(args[position]);
    if (returns.length === 1) return fromNative(returns[0]!, result, args);
    if (returns.length === 0) return undefined;
    return returns.map((kind, i) => fromNative(kind, (result as unknown[])[i], args));
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
