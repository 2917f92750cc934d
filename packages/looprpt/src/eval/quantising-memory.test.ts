/** The bound that `quantize --calibrate` is refused by, held against what it takes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { growthOf } from '../../test-support/memory-growth.js';
import { tinyModelFolder } from '../../test-support/serve/tiny-folder.js';
import { quantisationOf } from '../checkpoint/quantisation.js';
import { parseOuroConfig } from '../model/config.js';
import { assertQuantisingFits, planQuantising } from './quantising-memory.js';

const MANY_LAYERS = {
  model_type: 'ouro',
  num_attention_heads: 4,
  total_ut_steps: 2,
  hidden_size: 64,
  intermediate_size: 192,
  vocab_size: 512,
  num_hidden_layers: 10,
};
const SLACK = 30e6;

test.runIf(process.platform === 'linux').each([0, 1])('%i passes of fitting', { timeout: 180_000 }, (passes) => {
  const { grown } = growthOf(`
    import { mkdtempSync, rmSync } from 'node:fs';
    import { Generator, scope, tensor } from '@looprpt/engine';
    import { quantisationOf } from 'dist/checkpoint/quantisation.js';
    import { quantiseModel } from 'dist/checkpoint/quantise-model.js';
    import { saveModel } from 'dist/checkpoint/save-model.js';
    import { parseOuroConfig } from 'dist/model/config.js';
    import { LoopLM } from 'dist/model/loop-lm.js';
    import { fitter } from 'dist/train/fit-quantised.js';
    const folder = mkdtempSync('${join(tmpdir(), 'looprpt-test-')}');
    const model = LoopLM.create(parseOuroConfig(${JSON.stringify(MANY_LAYERS)}, 'it'), new Generator(1));
    await saveModel(model, folder + '/from');
    model.dispose();
    const ids = (length) => tensor(Array.from({ length }, (_, i) => i % 512), { shape: [1, length], dtype: 'int64' });
    const places = (length) => tensor(Array.from({ length }, (_, i) => i), { dtype: 'int64' });
    const run = async (length) => {
      const calibration = async (use) =>
        scope(() => use({ idsBT: ids(length), tokensN: places(length), countedN: places(length) }));
      const out = folder + '/' + length;
      await quantiseModel(folder + '/from', out, quantisationOf('int4'), { calibration, fit: { run: fitter(), passes: ${passes} } });
    };
    await run(8);
    const measured = async () => {
      await run(1024);
      rmSync(folder, { recursive: true });
    };
  `);
  const plan = planQuantising(parseOuroConfig(MANY_LAYERS, 'the test'), quantisationOf('int4'), passes > 0);
  const bound = Object.values(plan).reduce((sum, bytes) => sum + bytes, 0);
  expect(grown).toBeLessThan(bound + SLACK);
  expect(bound).toBeLessThan(passes > 0 ? 220e6 : 60e6);
});

test('what does not fit is refused by name, and what can be left out is said', async () => {
  const root = mkdtempSync(join(tmpdir(), 'looprpt-test-'));
  const folder = await tinyModelFolder(root);
  const fits = (isFitted: boolean, free: number) => () =>
    assertQuantisingFits({ name: 'tiny', folder }, quantisationOf('int4'), isFitted, free);
  expect(fits(true, 2e9)).not.toThrow();
  expect(fits(true, 1e8)).toThrow(
    /^tiny: needs .* MB of memory \(.*fitting .*\), and 100\.0 MB are free: without --fit-passes$/,
  );
  expect(fits(false, 1e8)).toThrow(/free: without --calibrate$/);
  rmSync(root, { recursive: true });
});
