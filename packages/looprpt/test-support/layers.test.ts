/**
 * The house keeps its floors: which file may import which, read from the sources, type imports included.
 *
 * Rules: inside the product imports go down the list of rooms only; no package has a circle of files; engine ← looprpt ← lab,
 * never back; product code reaches no test support, and no file outside of its own package.
 */
import { readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { globSync } from 'tinyglobby';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Rooms of packages/looprpt/src, the lowest first. A room imports from itself and from those before it. */
const ROOMS = [
  'base',
  'model',
  'text',
  'checkpoint',
  'data',
  'objectives',
  'decode',
  'train',
  'eval',
  'serve',
  'studio',
  'start',
  'cli',
  'index.ts',
] as const;

const PRODUCT = 'packages/looprpt/src/';
const SUPPORT = 'packages/looprpt/test-support/';
const ENGINE = 'packages/engine/';
const LAB = 'lab/';

/** A file and what it imports, as paths from the repository's root. */
type Graph = ReadonlyMap<string, readonly string[]>;

const sources = globSync('{packages/*/{src,test-support},lab/src}/**/*.ts', { cwd: ROOT })
  .map((file) => normalize(file))
  .filter((file) => !file.includes('/dist/'));
const known = new Set(sources);
const graph: Graph = new Map(sources.map((file) => [file, importsOf(file)]));

function importsOf(file: string): string[] {
  const { importedFiles } = ts.preProcessFile(readFileSync(join(ROOT, file), 'utf8'), true, true);
  return importedFiles.flatMap(({ fileName }) => resolve(file, fileName) ?? []);
}

/** The source behind a specifier; null for packages of others. */
function resolve(from: string, specifier: string): string | null {
  const path = specifier.startsWith('.')
    ? join(dirname(from), specifier.replace('test-support/dist/', 'test-support/'))
    : specifier.startsWith('looprpt/internal/')
      ? join(PRODUCT, specifier.slice('looprpt/internal/'.length))
      : specifier === 'looprpt'
        ? join(PRODUCT, 'index.js')
        : specifier.startsWith('@looprpt/engine')
          ? join(ENGINE, 'src', `${specifier.slice('@looprpt/engine/'.length) || 'index'}.js`)
          : null;
  if (path === null) return null;
  const source = normalize(path).replace(/\.js$/, '.ts');
  return known.has(source) ? source : null;
}

const isTest = (file: string): boolean => file.endsWith('.test.ts');
const edges = [...graph].flatMap(([from, all]) => all.map((to) => ({ from, to, words: `${from} → ${to}` })));

function room(file: string): number {
  const name = relative(PRODUCT, file).split('/')[0]!.replace('.test.ts', '.ts');
  return (ROOMS as readonly string[]).indexOf(name);
}

/** Groups of files that import each other in a circle. */
function circles(files: Graph): string[][] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (file: string): void => {
    index.set(file, index.size);
    low.set(file, index.get(file)!);
    stack.push(file);
    for (const next of files.get(file) ?? []) {
      if (!index.has(next)) visit(next);
      if (stack.includes(next)) low.set(file, Math.min(low.get(file)!, low.get(next)!));
    }
    if (low.get(file) !== index.get(file)) return;
    const group = stack.splice(stack.indexOf(file));
    if (group.length > 1 || files.get(file)?.includes(file)) found.push(group.sort());
  };
  for (const file of files.keys()) if (!index.has(file)) visit(file);
  return found;
}

describe('layers', () => {
  it('reads a graph worth its name', () => {
    expect(edges.length).toBeGreaterThan(1000);
  });

  it('every file of the product stands in a room', () => {
    expect(sources.filter((file) => file.startsWith(PRODUCT) && room(file) < 0)).toEqual([]);
  });

  it('imports inside the product go down', () => {
    const up = edges.filter(
      ({ from, to }) => from.startsWith(PRODUCT) && to.startsWith(PRODUCT) && !isTest(from) && room(to) > room(from),
    );
    expect(up.map(({ words }) => words)).toEqual([]);
  });

  it('no files import each other in a circle', () => {
    expect(circles(graph)).toEqual([]);
  });

  it('lab → looprpt → engine, never back; the product reaches no test support', () => {
    const floor = (file: string): number =>
      file.startsWith(LAB) ? 3 : file.startsWith(SUPPORT) ? 2 : file.startsWith(PRODUCT) ? 1 : 0;
    const back = edges.filter(({ from, to }) => {
      if (floor(to) <= floor(from)) return false;
      return !(isTest(from) && floor(from) === 1 && floor(to) === 2);
    });
    expect(back.map(({ words }) => words)).toEqual([]);
  });

  it("the engine's sources reach no test support", () => {
    const reached = edges.filter(
      ({ from, to }) => from.startsWith(`${ENGINE}src/`) && !isTest(from) && to.startsWith(`${ENGINE}test-support/`),
    );
    expect(reached.map(({ words }) => words)).toEqual([]);
  });

  it('the product names no file outside of its package', () => {
    const outside = sources
      .filter((file) => file.startsWith(PRODUCT) && !isTest(file))
      .flatMap((file) =>
        [...readFileSync(join(ROOT, file), 'utf8').matchAll(/new URL\(\s*'([^']+)',\s*import\.meta\.url\)/g)]
          .map(([, path]) => normalize(join(dirname(file), path!)))
          .filter((path) => !path.startsWith('packages/looprpt/'))
          .map((path) => `${file} → ${path}`),
      );
    expect(outside).toEqual([]);
  });
});
