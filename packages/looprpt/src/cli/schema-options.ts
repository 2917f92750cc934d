/**
 * Options of a command from the zod schema that its settings have: what an option means, its default and its range stand in the
 * schema, its spelling stands here.
 */
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { z } from 'zod';
import { integer, real, repeated } from './values.js';

/** A part of a JSON Schema; only what options need. */
interface Node {
  type?: string;
  properties?: Record<string, Node>;
  enum?: string[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  default?: unknown;
  description?: string;
}

/** By the setting's path in the schema (`cache.decode`), how its option is written. */
export type Spelling = Readonly<Record<string, string>>;

/**
 * The options in the order of the spelling.
 * @param negations what it means to turn off a setting that is on unless told otherwise, spelled `--no-…`
 */
export function optionsOf(
  schema: z.ZodType,
  spelling: Spelling,
  negations: Readonly<Record<string, string>>,
): Option[] {
  const root = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Node;
  return Object.entries(spelling).map(([path, flags]) => {
    const node = path.split('.').reduce((at: Node | undefined, key) => at?.properties?.[key], root);
    if (node === undefined) throw new Error(`${path}: the schema has no such setting`);
    return optionOf(flags, path in negations ? { ...node, description: negations[path]! } : node);
  });
}

function optionOf(flags: string, node: Node): Option {
  const { type, description = '', default: standard } = node;
  if (type === 'boolean') return new Option(flags, description);
  const option = new Option(flags, description) as Option;
  if (node.enum) option.choices(node.enum);
  else if (type === 'integer') option.argParser(integer(node.minimum ?? 0, bounded(node.maximum)));
  else if (type === 'number') option.argParser(numberOf(node));
  else if (type === 'array') option.argParser(repeated).description += '; several times';
  return standard === undefined || type === 'array' ? option : option.default(standard);
}

/** JSON Schema's bound of every whole number is no bound that a person has set. */
function bounded(most: number | undefined): number {
  return most ?? Number.MAX_SAFE_INTEGER;
}

function numberOf({ minimum, maximum, exclusiveMinimum }: Node): (text: string) => number {
  const parse = real(minimum ?? exclusiveMinimum, maximum);
  return (text) => {
    const value = parse(text);
    if (value === exclusiveMinimum) throw new InvalidArgumentError(`It must be above ${exclusiveMinimum}.`);
    return value;
  };
}

/** The settings that the options gave, by their paths; those that were not given are left out. */
export function settingsOf(options: readonly Option[], spelling: Spelling, given: object): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  Object.keys(spelling).forEach((path, index) => {
    const value = (given as Record<string, unknown>)[options[index]!.attributeName()];
    if (value === undefined) return;
    const keys = path.split('.');
    const last = keys.pop()!;
    let group = settings;
    for (const key of keys) {
      group[key] ??= {};
      group = group[key] as Record<string, unknown>;
    }
    group[last] = value;
  });
  return settings;
}
