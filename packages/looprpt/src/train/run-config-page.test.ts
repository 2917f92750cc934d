/** docs/reference/config.md against the schema of a run. */
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { configPage, runKeys, unusedUnits } from '../../test-support/config-page.js';

const PAGE = fileURLToPath(new URL('../../../../docs/reference/config.md', import.meta.url));
const keys = runKeys().flatMap((section) => section.keys);

it('docs/reference/config.md is the schema (after a change: npx vitest run packages/looprpt/src/train/run-config-page.test.ts -u)', async () => {
  await expect(configPage()).toMatchFileSnapshot(PAGE);
});

it('every key has a meaning: a .describe() beside it in its schema', () => {
  expect(keys.length).toBeGreaterThan(90);
  expect(keys.filter(({ meaning }) => meaning === '').map(({ path }) => path)).toEqual([]);
});

it('every unit belongs to a key', () => {
  expect(unusedUnits()).toEqual([]);
});
