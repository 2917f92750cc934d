/**
 * JSON as a tree that can hold what `JSON.stringify` cannot write: keys that stand twice, numbers that no double holds,
 * text that is no JSON at all. For making hostile files; nothing is read here.
 */

export type JsonTree =
  /** Written as it is. */
  | { kind: 'raw'; text: string }
  | { kind: 'array'; items: JsonTree[] }
  | { kind: 'object'; entries: [key: string, value: JsonTree][] };

/** @param value anything that `JSON.stringify` writes */
export function treeOf(value: unknown): JsonTree {
  if (Array.isArray(value)) return { kind: 'array', items: value.map(treeOf) };
  if (typeof value === 'object' && value !== null)
    return { kind: 'object', entries: Object.entries(value).map(([key, inner]) => [key, treeOf(inner)]) };
  return { kind: 'raw', text: JSON.stringify(value) ?? 'null' };
}

export function textOf(tree: JsonTree): string {
  switch (tree.kind) {
    case 'raw':
      return tree.text;
    case 'array':
      return `[${tree.items.map(textOf).join(',')}]`;
    case 'object':
      return `{${tree.entries.map(([key, value]) => `${JSON.stringify(key)}:${textOf(value)}`).join(',')}}`;
    default:
      return tree satisfies never;
  }
}

/** Where a tree hangs in another: what is done there is done to the whole. */
export interface Place {
  parent: Exclude<JsonTree, { kind: 'raw' }>;
  index: number;
}

/** Every place below the root, from the top down. */
export function placesOf(root: JsonTree): Place[] {
  if (root.kind === 'raw') return [];
  const children = root.kind === 'array' ? root.items : root.entries.map(([, value]) => value);
  return children.flatMap((child, index) => [{ parent: root, index }, ...placesOf(child)]);
}

export function treeAt({ parent, index }: Place): JsonTree {
  return parent.kind === 'array' ? parent.items[index]! : parent.entries[index]![1];
}

/** Puts trees in the place of one; none removes it. `key` is for objects, default the one that is there. */
export function replaceAt({ parent, index }: Place, trees: readonly JsonTree[], key?: string): void {
  if (parent.kind === 'array') parent.items.splice(index, 1, ...trees);
  else
    parent.entries.splice(
      index,
      1,
      ...trees.map((tree): [string, JsonTree] => [key ?? parent.entries[index]![0], tree]),
    );
}
