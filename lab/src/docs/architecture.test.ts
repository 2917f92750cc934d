/** docs/design/architecture.md draws the house that stands: its folders exist, and the rooms are in the order of the layer test. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codeOf, REPOSITORY, read } from './pages.js';

const TREE = codeOf(read('docs/design/architecture.md')).find(({ isBlock }) => isBlock)!.text;

/** Every folder of the drawing, from the repository's root. */
function drawn(): string[] {
  let parent = '';
  return TREE.split('\n').flatMap((line) => {
    const names = /^( *)((?:[\w./-]+, )*[\w./-]+)/.exec(line);
    if (!names) return [];
    const [, indent, list] = names;
    if (indent === '') {
      parent = list!;
      return [parent];
    }
    return list!.split(', ').map((name) => join(parent, name));
  });
}

describe('the drawing of the house', () => {
  it('has only folders that are there', () => {
    expect(drawn().length).toBeGreaterThan(30);
    expect(drawn().filter((path) => !existsSync(join(REPOSITORY, path)))).toEqual([]);
  });

  it('has every room of the product and of the laboratory', () => {
    for (const parent of ['packages/looprpt/src', 'lab/src']) {
      const rooms = readdirSync(join(REPOSITORY, parent), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => `${parent}/${name}/`);
      expect(drawn()).toEqual(expect.arrayContaining(rooms));
    }
  });

  it("has the product's rooms in the order of the layer test", () => {
    const [, list] = /const ROOMS = \[([\s\S]*?)\]/.exec(read('packages/looprpt/test-support/layers.test.ts'))!;
    const rooms = [...list!.matchAll(/'(\w+)',/g)].map(([, room]) => room!);
    const onPage = drawn().flatMap((path) => /^packages\/looprpt\/src\/(\w+)\/$/.exec(path)?.[1] ?? []);
    expect(rooms.length).toBeGreaterThan(8);
    expect(onPage).toEqual(rooms);
  });
});
