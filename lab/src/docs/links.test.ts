/** Every relative link of every page leads to a file, and every anchor to a heading. Other hosts are not asked. */
import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { anchorsOf, filesBelow, linksOf, REPOSITORY, read } from './pages.js';

const PAGES = filesBelow('', ['.md']);

/** What is wrong with a page's links, one line each. */
function brokenLinks(path: string, page: string): string[] {
  return linksOf(page).flatMap((url) => {
    if (/^[a-z][a-z0-9+.-]*:/i.test(url)) return [];
    const [file, anchor] = url.split('#') as [string, string?];
    const target = file === '' ? path : normalize(join(dirname(path), decodeURIComponent(file)));
    if (file !== '' && (target.startsWith('..') || !existsSync(join(REPOSITORY, target))))
      return [`${url}: no such file`];
    if (anchor === undefined || !target.endsWith('.md')) return [];
    return anchorsOf(target === path ? page : read(target)).has(anchor) ? [] : [`${url}: no such heading`];
  });
}

describe('a page', () => {
  it.each(PAGES)('%s has only links that lead somewhere', (path) => {
    expect(brokenLinks(path, read(path))).toEqual([]);
  });

  it('is found out when it has others', () => {
    const page = '# One (two)\n\n[a](#three) [b](nowhere.md) ![c](../x.svg) [d](../README.md#no-such) `[e](f)`\n';
    expect(brokenLinks('lab/page.md', page)).toEqual([
      '#three: no such heading',
      'nowhere.md: no such file',
      '../x.svg: no such file',
      '../README.md#no-such: no such heading',
    ]);
  });
});

describe('a page that a source names', () => {
  const endings = ['.ts', '.mjs', '.cc', '.h', '.py', '.yaml'];
  const sources = ['packages', 'lab', 'setup'].flatMap((folder) => filesBelow(folder, endings));
  const named = sources.flatMap((source) =>
    [...read(source).matchAll(/\bdocs\/[\w/.-]+\.(?:md|svg)\b/g)]
      .filter(([path]) => !path.includes('NAME'))
      .map(([path]) => ({ source, path })),
  );

  it('is there', () => {
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter(({ path }) => !existsSync(join(REPOSITORY, path)))).toEqual([]);
  });
});

describe('anchors', () => {
  it('are those of GitHub: lower case, no punctuation, numbered where they repeat', () => {
    const page =
      '# The model\n\n## What cancels?\n\n## `data make`, and more\n\n## The model\n\n```\n# not this\n```\n';
    expect([...anchorsOf(page)]).toEqual(['the-model', 'what-cancels', 'data-make-and-more', 'the-model-1']);
  });
});
