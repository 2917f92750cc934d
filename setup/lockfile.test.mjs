/** package-lock.json pins what is installed to the byte, and names no address that it came from. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

/** @type {{ packages: Record<string, { version?: string, integrity?: string, resolved?: string, link?: boolean }> }} */
const lock = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8'));
const foreign = Object.entries(lock.packages).filter(([path, { link }]) => path.includes('node_modules/') && !link);

it('has a checksum for every package', () => {
  expect(foreign.length).toBeGreaterThan(100);
  expect(foreign.filter(([, { integrity }]) => !/^sha512-/.test(integrity ?? '')).map(([path]) => path)).toEqual([]);
});

it('names no address', () => {
  expect(foreign.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path)).toEqual([]);
});
