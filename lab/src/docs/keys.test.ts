/** A key of a recipe that a page names in code is one that the schema has; a recipe's block of YAML too. */
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { runKeys } from '../../../packages/looprpt/test-support/config-page.js';
import { codeOf, filesBelow, read } from './pages.js';

const KEYS = ['objective.kind', ...runKeys().flatMap(({ keys }) => keys.map(({ path }) => path))];
const GROUPS = [...new Set(KEYS.filter((path) => path.includes('.')).map((path) => path.split('.')[0]!))];
/** The log and the changelog tell of keys as they were. */
const PAGES = filesBelow('', ['.md']).filter((path) => !/(^|\/)(LOG|CHANGELOG)\.md$/.test(path));

const isKnown = (path: string): boolean => KEYS.some((key) => key === path || key.startsWith(`${path}.`));

/** `objective.rho`, and the keys of a block such as `checkpoint: { every: 200 }`. */
function namedKeys(page: string): string[] {
  return codeOf(page).flatMap(({ text, isBlock, language }) => {
    if (!isBlock) {
      const [path] = /^[a-z]+(?:\.[A-Za-z]+)+(?=[:=\s]|$)/i.exec(text) ?? [];
      const [inner] = /^\w+: \{.*\}$/.exec(text) ?? [];
      if (inner) return keysOf(parse(inner));
      return path && path !== 'model.safetensors' && GROUPS.includes(path.split('.')[0]!) ? [path] : [];
    }
    return language === 'yaml' && !text.includes('apiVersion') ? keysOf(parse(text)) : [];
  });
}

function keysOf(value: unknown, prefix = ''): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  const own = Object.entries(value).map(([key, inner]) => ({ path: prefix ? `${prefix}.${key}` : key, inner }));
  if (prefix === '' && !own.some(({ path }) => GROUPS.includes(path))) return [];
  return own.flatMap(({ path, inner }) => [path, ...keysOf(inner, path)]);
}

describe('keys of a recipe', () => {
  it.each(PAGES)('in %s are in the schema', (path) => {
    expect(namedKeys(read(path)).filter((key) => !isKnown(key))).toEqual([]);
  });

  it('are found, and found out when they are wrong', () => {
    expect(PAGES.flatMap((path) => namedKeys(read(path))).length).toBeGreaterThan(20);
    const page =
      'See `batch.rows`, `objective.rhoo` and `memory: { loops: 1 }`.\n\n```yaml\ncheckpoint:\n  ever: 2\n```\n';
    expect(namedKeys(page).filter((key) => !isKnown(key))).toEqual([
      'checkpoint.ever',
      'objective.rhoo',
      'memory.loops',
    ]);
  });
});
