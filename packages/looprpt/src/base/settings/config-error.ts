/**
 * What is wrong with a configuration, in one line: where, what, and what was probably meant.
 *
 * Knows nothing of any particular configuration: which keys there are comes from the zod schema, as JSON Schema.
 */
import { z } from 'zod';
import { nearest } from './nearest.js';

type Path = readonly PropertyKey[];
type Issue = z.core.$ZodIssue;

/** A part of a JSON Schema; only what is read here. */
interface Node {
  properties?: Record<string, Node>;
  anyOf?: Node[];
  oneOf?: Node[];
  items?: Node;
  const?: unknown;
  description?: string;
}

/** @param input what was parsed @param error what zod said of it @returns `key.path: what is wrong` */
export function explainConfigError(schema: z.ZodType, input: unknown, error: z.ZodError): string {
  const root = rootOf(schema);
  const issues = error.issues.flatMap((issue) => resolveUnions(issue, [], input));
  // A key that nobody knows is the likely reason for one that is missing.
  const first = issues.find(({ issue }) => issue.code === 'unrecognized_keys') ?? issues[0]!;
  return explain(first.issue, first.path, root, input);
}

const roots = new WeakMap<z.ZodType, Node>();

function rootOf(schema: z.ZodType): Node {
  const root = roots.get(schema) ?? (z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Node);
  roots.set(schema, root);
  return root;
}

interface Found {
  issue: Issue;
  path: Path;
}

/** Of an alternative, the issues of the branch that the input comes nearest to. */
function resolveUnions(issue: Issue, prefix: Path, input: unknown): Found[] {
  const path = [...prefix, ...issue.path];
  if (issue.code !== 'invalid_union' || issue.errors.length === 0 || valueAt(input, path) === undefined)
    return [{ issue, path }];
  const all = issue.errors.map((errors) => errors.flatMap((inner) => resolveUnions(inner, path, input)));
  // A branch for values of another type is not the one that was meant, if any other is.
  const meant = all.filter((found) => !found.some((one) => isOtherType(one, path)));
  const branches = meant.length > 0 ? meant : all;
  return branches.reduce((best, branch) => (comesNearer(branch, best) ? branch : best));
}

/** Less is wrong; or as much, but further on; or as much at the same place, but of the right type. */
function comesNearer(a: Found[], b: Found[]): boolean {
  const weight = (found: Found[]): number =>
    found.reduce((sum, { issue: { code, ...rest } }) => sum + ('keys' in rest ? rest.keys.length : 1), 0);
  if (weight(a) !== weight(b)) return weight(a) < weight(b);
  const [first, second] = [a[0]!, b[0]!];
  const apart = first.path.findIndex((step, i) => step !== second.path[i]);
  const [step, other] = [first.path[apart], second.path[apart]];
  if (typeof step === 'number' && typeof other === 'number') return step > other;
  return first.issue.code !== 'invalid_type' && second.issue.code === 'invalid_type';
}

function isOtherType({ issue, path }: Found, of: Path): boolean {
  return issue.code === 'invalid_type' && path.length === of.length;
}

/** Said by whoever wrote the schema, and not by its library. */
function isOwnMessage({ message }: Issue): boolean {
  return !/^(Invalid|Unrecognized|Too|Expected|Required)\b/.test(message);
}

function explain(issue: Issue, path: Path, root: Node, input: unknown): string {
  const where = path.join('.');
  const value = valueAt(input, path);
  const at = (message: string): string => (where === '' ? message : `${where}: ${message}`);
  if (issue.code === 'unrecognized_keys') return unknownKey(issue.keys[0]!, path, root, input);
  const nodes = nodesAt(root, path, input);
  if (value === undefined && where !== '') {
    const description = nodes.find((node) => node.description !== undefined)?.description;
    return at(`missing${description ? ` (${description})` : ''}`);
  }
  if (issue.code === 'invalid_value' && isOwnMessage(issue)) return at(issue.message);
  const choices = choicesOf(issue, nodesAt(root, path.slice(0, -1), input), path);
  if (choices.length > 0) {
    const meant = typeof value === 'string' ? nearest(value, choices) : undefined;
    return at(`${shown(value)} is none of ${choices.join(', ')}${meant ? `; did you mean ${meant}?` : ''}`);
  }
  return at(issue.message.charAt(0).toLowerCase() + issue.message.slice(1));
}

/** How a value is quoted; what a list or a group holds may be anything, and of any depth. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'a group of keys' : JSON.stringify(value);
}

/** The values that a choice could have had. */
function choicesOf(issue: Issue, parents: Node[], path: Path): string[] {
  if (issue.code === 'invalid_value') return issue.values.map(String);
  if (issue.code !== 'invalid_union') return [];
  const key = String(path.at(-1));
  const branches = parents.flatMap((parent) => branchesOf(parent));
  return [...new Set(branches.flatMap((branch) => branch.properties?.[key]?.const ?? []))].map(String);
}

function unknownKey(key: string, path: Path, root: Node, input: unknown): string {
  const branches = nodesAt(root, path, input);
  const known = new Set(branches.flatMap((node) => Object.keys(node.properties ?? {})));
  const full = [...path, key].join('.');
  const rivals = rivalsOf(key, branches, Object.keys(valueAt(input, path) ?? {}));
  if (rivals.length > 0) return `${full}: does not go with ${rivals.join(', ')}; give one of them`;
  const here = nearest(key, known);
  const prefix = path.length === 0 ? '' : `${path.join('.')}.`;
  const elsewhere =
    here === undefined ? allPaths(root).find((other) => other !== full && other.split('.').at(-1) === key) : undefined;
  const meant = here !== undefined ? `${prefix}${here}` : elsewhere;
  if (meant !== undefined) return `${full}: no such key; did you mean ${meant}?`;
  return `${full}: no such key; there are: ${[...known].join(', ')}`;
}

/** The keys given beside `key` that the alternatives with `key` do not have; none when no alternative has it. */
function rivalsOf(key: string, branches: readonly Node[], given: readonly string[]): string[] {
  const own = branches.filter((branch) => Object.hasOwn(branch.properties ?? {}, key));
  if (own.length === 0) return [];
  return given.filter((other) => !own.some((branch) => Object.hasOwn(branch.properties ?? {}, other)));
}

/** The schema's nodes for a place of the input; several where alternatives are open. */
function nodesAt(root: Node, path: Path, input: unknown): Node[] {
  let nodes = chosen(root, input);
  path.forEach((step, i) => {
    const inner = valueAt(input, path.slice(0, i + 1));
    nodes = nodes
      .flatMap((node) => (typeof step === 'number' ? (node.items ?? []) : (node.properties?.[String(step)] ?? [])))
      .flatMap((node) => [{ ...(node.description ? { description: node.description } : {}) }, ...chosen(node, inner)]);
  });
  return nodes;
}

/** Of alternatives that are told apart by a constant (`kind`), the ones whose constants the input has. */
function chosen(node: Node, input: unknown): Node[] {
  const branches = branchesOf(node);
  const fitting = branches.filter((branch) =>
    Object.entries(branch.properties ?? {}).every(
      ([key, inner]) => inner.const === undefined || valueAt(input, [key]) === inner.const,
    ),
  );
  return fitting.length > 0 ? fitting : branches;
}

function branchesOf(node: Node): Node[] {
  const branches = node.anyOf ?? node.oneOf;
  return branches ? branches.flatMap(branchesOf) : [node];
}

/** Every key path of the schema. */
function allPaths(node: Node, prefix = ''): string[] {
  return branchesOf(node).flatMap((branch) =>
    Object.entries(branch.properties ?? {}).flatMap(([key, inner]) => [
      prefix + key,
      ...allPaths(inner, `${prefix}${key}.`),
    ]),
  );
}

function valueAt(input: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, step) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, step)
        ? (value as Record<PropertyKey, unknown>)[step]
        : undefined,
    input,
  );
}
