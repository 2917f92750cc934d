/** The library as its users see it: what is exported, and that all of it is explained. */
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { apiPage, exportedNames } from '../test-support/api-page.js';
import * as library from './index.js';

const PAGE = fileURLToPath(new URL('../../../docs/reference/api.md', import.meta.url));
const exported = exportedNames();

it('has a docstring on every export', () => {
  expect(exported.filter(({ text }) => text === '').map(({ name }) => name)).toEqual([]);
});

it('has docs/reference/api.md as its page (after a change: npx vitest run packages/looprpt/src/index.test.ts -u)', async () => {
  await expect(apiPage(exported)).toMatchFileSnapshot(PAGE);
});

it('exports at run time what it exports by name', () => {
  const values = exported.filter(({ kind }) => kind !== 'type').map(({ name }) => name);
  expect(Object.keys(library).sort()).toEqual([...values].sort());
});
