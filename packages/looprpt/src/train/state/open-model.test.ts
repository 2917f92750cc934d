/** Models opened by name: what the caller is told of. */
import { join } from 'node:path';
import { liveTensors } from '@looprpt/engine';
import { expect, it } from 'vitest';
import { collectGarbage } from '../../../../engine/test-support/collect-garbage.js';
import { writeCheckpoint } from '../../../test-support/checkpoint-folder.js';
import { tinyModel } from '../../../test-support/slow/tiny-model.js';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { openModel } from './open-model.js';

it('says which keys of config.json have no effect', async () => {
  const folder = join(temporaryFolder().path, 'model');
  writeCheckpoint(folder, tinyModel(3), { configExtra: { embedding_multiplier: 12, transformers_version: '5.24.0' } });
  const told: string[] = [];
  using _ = await openModel(folder, { device: 'cpu', onMessage: (line) => told.push(line) });
  expect(told).toEqual([`${join(folder, 'config.json')}: embedding_multiplier is not known here and has no effect`]);
});

it("takes the model's own dtype where none is asked for, and with auto", async () => {
  const folder = join(temporaryFolder().path, 'model');
  writeCheckpoint(folder, tinyModel(3));
  await collectGarbage();
  const before = liveTensors();
  for (const dtype of [undefined, 'auto'] as const) {
    using model = await openModel(folder, { device: 'cpu', dtype });
    expect(model.lm.dtype).toBe('float32');
  }
  expect(liveTensors()).toBe(before);
});
