/** The bases that come with the package are found by name, from any folder, unless something there has that name. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { liveTensors } from '@looprpt/engine';
import { afterEach, expect, it } from 'vitest';
import { collectGarbage } from '../../../engine/test-support/collect-garbage.js';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import { openModel } from '../train/state/open-model.js';
import { resolveModel } from './hub.js';
import { HOP_BASE } from './shipped.js';

const start = process.cwd();
afterEach(() => process.chdir(start));

it('opens by name, with tokenizer, and frees what it took', async () => {
  process.chdir(temporaryFolder().path);
  await collectGarbage();
  const before = liveTensors();
  {
    using model = await openModel('hop-base', { threads: 1 });
    expect(model.folder).toBe(HOP_BASE);
    expect(model.config.loops).toBe(4);
    expect(model.tokenizer.decode(Array.from(await model.tokenizer.encode('map a b')))).toBe('map a b');
    expect(liveTensors()).toBeGreaterThan(before);
  }
  expect(liveTensors()).toBe(before);
});

it('gives way to a folder of that name', async () => {
  process.chdir(temporaryFolder().path);
  mkdirSync('hop-base');
  expect(await resolveModel('hop-base')).toBe('hop-base');
  await expect(openModel(join('.', 'hop-base'))).rejects.toThrow(/config\.json/);
});
