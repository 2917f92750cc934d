/** What would be published: the right files, few enough of them, and enough to be used without this repository. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { compileExamples, lendBuild, PUBLISHED, pack, root, run, unpackWithLinks } from './packed.mjs';

/** Bytes, without the base models. */
const MOST = 2_100_000;
const PLACES =
  /^(README\.md|LICENSE|package\.json|dist\/.+\.(js|d\.ts)|native\/.+\.(cc|h)|setup\/[^/]+\.m?ts|setup\/[^/]+\.(mjs|py)|bin\/looprpt\.js|recipes\/[^/]+\.yaml|models\/(hop|transfer)-base\/[^/]+|src\/(serve|studio)\/page\/(index\.html|style\/[^/]+\.css))$/;
const NOT_PUBLISHED = /\.test\.|(^|\/)(test-support|testing|fixtures|lab|fake-[^/]*)(\/|$)/;

describe.each(PUBLISHED)('%s', (folder) => {
  const { files } = pack(folder, ['--dry-run']);
  const paths = files.map((file) => file.path);

  it('publishes no test, fixture or laboratory, and nothing else that is not meant', () => {
    expect(paths.filter((name) => !PLACES.test(name) || NOT_PUBLISHED.test(name))).toEqual([]);
  });

  it(`is smaller than ${MOST / 1e6} MB without the base models`, () => {
    const own = files.filter((file) => !file.path.startsWith('models/'));
    expect(own.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(MOST);
  });

  it('has the licence of the repository, and a page', () => {
    expect(paths).toEqual(expect.arrayContaining(['LICENSE', 'README.md']));
    expect(readFileSync(path.join(root, folder, 'LICENSE'), 'utf8')).toBe(
      readFileSync(path.join(root, 'LICENSE'), 'utf8'),
    );
  });
});

it('publishes the declarations that its page of exports reaches, and no others', () => {
  const folder = 'packages/looprpt';
  const published = pack(folder, ['--dry-run'])
    .files.map((file) => file.path)
    .filter((name) => name.endsWith('.d.ts'));
  expect(published.toSorted()).toEqual(reached('dist/index.d.ts', path.join(root, folder)).toSorted());
});

/**
 * @param {string} entry a declaration file, relative to the package
 * @param {string} folder of the package
 * @returns {string[]} it and all that it takes types from
 */
function reached(entry, folder) {
  const seen = new Set([entry]);
  for (const file of seen) {
    const text = readFileSync(path.join(folder, file), 'utf8');
    for (const [, name = ''] of text.matchAll(/(?:from|import\() *['"](\.[^'"]+)\.js['"]/g))
      seen.add(path.join(path.dirname(file), `${name}.d.ts`));
  }
  return [...seen];
}

it('is used in a folder that has nothing else of this repository', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'packed-'));
  unpackWithLinks(folder);
  const program = path.join(folder, 'node_modules/looprpt/bin/looprpt.js');
  const refused = `import('looprpt').catch(({ name, message }) => console.log(name, message))`;
  expect(run([process.execPath, '-e', refused], folder)).toBe(
    'UserError the libtorch addon is not built yet: run `npx looprpt setup`\n',
  );
  lendBuild(folder);
  expect(run([process.execPath, program, 'setup', '--quiet'], folder)).toMatch(
    /^libtorch .*\naddon +build\/\w+\/looprpt_engine\.node\n$/,
  );
  expect(compileExamples(folder)).toContain('train');
  expect(run([process.execPath, 'dist/own-data.js', '2', 'run'], folder)).toMatch(/trained on 2 batches/);
  const text = run(
    [process.execPath, program, 'generate', '--model', 'hop-base', '--prompt', 'map a', '--json'],
    folder,
  );
  expect(JSON.parse(text)).toHaveProperty('meanLoops');
});
