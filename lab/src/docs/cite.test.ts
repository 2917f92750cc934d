/** The entries of "how to cite", read as BibTeX is, against `CITATION.cff`, which tools read, and the package files. */
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { read } from './pages.js';

interface Entry {
  type: string;
  key: string;
  fields: Record<string, string>;
}

/** BibTeX with braces around values: `@type{key, name = {value}, …}`. Throws at anything else, unbalanced braces included. */
function bibtex(text: string): Entry[] {
  const entries: Entry[] = [];
  let at = 0;
  const take = (pattern: RegExp): string => {
    const sticky = new RegExp(pattern, 'y');
    sticky.lastIndex = at;
    const match = sticky.exec(text);
    if (!match) throw new Error(`BibTeX: no ${pattern} at “${text.slice(at, at + 30)}”`);
    at = sticky.lastIndex;
    return match[1] ?? '';
  };
  const value = (): string => {
    take(/\{/);
    const from = at;
    for (let depth = 1; depth > 0; at++) {
      if (at >= text.length) throw new Error('BibTeX: a brace is not closed');
      if (text[at] === '{') depth++;
      if (text[at] === '}') depth--;
    }
    return text.slice(from, at - 1);
  };
  while (take(/\s*(@|$)/) === '@') {
    const entry: Entry = { type: take(/(\w+)\{/), key: take(/([\w-]+)/), fields: {} };
    while (!take(/\s*(,\s*(?=\w)|,?\s*\})/).endsWith('}')) {
      const name = take(/(\w+)\s*=\s*/).toLowerCase();
      if (entry.fields[name] !== undefined) throw new Error(`BibTeX: ${name} twice`);
      entry.fields[name] = value();
    }
    entries.push(entry);
  }
  return entries;
}

const plain = (title: string): string => title.replace(/[{}]/g, '');
const entries = [...read('docs/reference/cite.md').matchAll(/```bibtex\n(.*?)```/gs)].flatMap(([, text = '']) =>
  bibtex(text),
);
const cff = parse(read('CITATION.cff'));

it('has the paper, as the citation file has it', () => {
  const [paper] = entries;
  const [reference] = cff.references;
  expect(paper).toMatchObject({ type: 'misc', fields: { archiveprefix: 'arXiv', year: `${reference.year}` } });
  expect(plain(paper!.fields.title!)).toBe(reference.title);
  expect(`arXiv:${paper!.fields.eprint}`).toBe(reference.identifiers[0].value);
  const names = (reference.authors as Record<string, string>[]).map(
    (author) => `${author['family-names']}, ${author['given-names']}`,
  );
  expect(paper!.fields.author!.split(' and ')).toEqual(names);
});

it('has the software, at the version of the packages', () => {
  expect(entries).toHaveLength(2);
  const { type, key, fields } = entries[1]!;
  const { name, version, license } = JSON.parse(read('packages/looprpt/package.json'));
  expect([type, key]).toEqual(['software', name]);
  expect([plain(fields.version!), fields.license]).toEqual([version, license]);
  expect([cff['cff-version'], cff.title, cff.version, cff.license]).toEqual(['1.2.0', name, version, license]);
});

it.each(['@misc{a, title = {x}', '@misc{a, title = {x{}', '@misc{a, title = x}', '@misc{a, b = {x}, b = {y}}'])(
  'takes no broken entry: %s',
  (text) => {
    expect(() => bibtex(text)).toThrow('BibTeX');
  },
);
