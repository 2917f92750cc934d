/** Every `npx looprpt …` and `npm run …` in a page or in the head of a recipe is a line that the real commands take. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type CommandLine, commandLines, shellWords, wrong } from './command-lines.js';
import { codeOf, filesBelow, REPOSITORY, read } from './pages.js';

/** The log tells of commands as they were. */
const PAGES = filesBelow('', ['.md']).filter((path) => !/(^|\/)(LOG|CHANGELOG)\.md$/.test(path));
const RECIPES = ['packages/looprpt/recipes', 'lab/recipes'].flatMap((folder) => filesBelow(folder, ['.yaml']));

function mistakes(lines: readonly CommandLine[]): string[] {
  return lines.flatMap((line) => {
    const message = wrong(line);
    return message === undefined ? [] : [`${line.words.join(' ')} → ${message}`];
  });
}

const ofPage = (path: string): CommandLine[] => codeOf(read(path)).flatMap(commandLines);

/** The comments before a recipe's first key. */
const ofRecipe = (path: string): CommandLine[] =>
  commandLines({ text: read(path).replace(/^# ?/gm, '').split(/^\w+:/m)[0]!, isBlock: true, language: 'sh' });

describe('the command lines', () => {
  it.each(PAGES)('of %s are right', (path) => {
    expect(mistakes(ofPage(path))).toEqual([]);
  });

  it.each(RECIPES)('at the head of %s are right', (path) => {
    const lines = ofRecipe(path);
    expect(mistakes(lines)).toEqual([]);
  });

  it('are many', () => {
    expect(PAGES.flatMap(ofPage).length).toBeGreaterThan(60);
    expect(RECIPES.flatMap(ofRecipe).length).toBeGreaterThan(15);
  });
});

/** npx takes a name that is not installed from the registry, whoever holds it there. */
it('no page has npx run what is not ours or among the packages of the lock file', () => {
  const names = PAGES.flatMap((path) =>
    [...read(path).matchAll(/\bnpx +((?:-\S+ +)*)([\w@/.-]+)/g)].map(([, , name]) => name!),
  );
  expect(names.length).toBeGreaterThan(60);
  expect([...new Set(names)].filter((name) => !existsSync(join(REPOSITORY, 'node_modules/.bin', name)))).toEqual([]);
});

describe('a wrong line', () => {
  const inBlock = (text: string): string[] => mistakes(commandLines({ text, isBlock: true, language: 'sh' }));

  it.each([
    ['npx looprpt retrain --config recipes/hop-base.yaml', 'unknown command'],
    ['npx looprpt train --config recipes/hop-base.yaml --rho 1', "unknown option '--rho'"],
    ['npx looprpt train --config recipes/none.yaml', 'no such recipe'],
    ['npx looprpt train --config recipes/hop-looprpt.yaml --set objective.rhoo=1', 'objective.rhoo: no such key'],
    ['npx looprpt generate --prompt x', "required option '--model"],
    ['npx looprpt serve --model x --cache none', 'Allowed choices'],
    ['npx looprpt launch --nproc 2 -- train --config recipes/hop-looprpt.yaml --rho 1', "unknown option '--rho'"],
    ['npm run benches', 'no such script'],
    ['npm run bench:train -- --fast', 'has no --fast'],
    ['npm run evidence -- hop-none', 'no such study'],
  ])('%s is found out', (line, message) => {
    expect(inBlock(line).join()).toContain(message);
  });

  it('is none in a sentence that only leaves things out', () => {
    const inline = (text: string) => mistakes(commandLines({ text, isBlock: false, language: '' }));
    expect(inline('npx looprpt train --config FILE')).toEqual([]);
    expect(inline('npx looprpt launch --nproc N -- train …')).toEqual([]);
    expect(inline('npx looprpt serve --prot 1')).not.toEqual([]);
  });
});

it('words of a shell: quotes, comments', () => {
  expect(shellWords(`a "b c" --d='e f'g # h`)).toEqual(['a', 'b c', '--d=e fg']);
});
