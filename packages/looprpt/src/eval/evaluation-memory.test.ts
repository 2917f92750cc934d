/** The bound that `eval --dry-run` prints, held against what a pass takes at many layers and tiny widths. */
import { expect, test } from 'vitest';
import { growthOf } from '../../test-support/memory-growth.js';
import { parseOuroConfig } from '../model/config.js';
import { planEvaluation } from './evaluation-memory.js';

const FORTY = {
  model_type: 'ouro',
  num_attention_heads: 4,
  total_ut_steps: 2,
  hidden_size: 64,
  intermediate_size: 192,
  vocab_size: 512,
  num_hidden_layers: 40,
};
/** Of JavaScript's heap and of code that runs for the first time. */
const SLACK = 20e6;

test.runIf(process.platform === 'linux').each([
  ['float32', FORTY, 16, 256],
  ['read-only', FORTY, 3, 1024],
] as const)('%s, %o, %i rows of %i tokens', { timeout: 180_000 }, (kind, shape, rows, sequenceLength) => {
  const { grown } = growthOf(`
    import { Generator } from '@looprpt/engine';
    import { parseOuroConfig } from 'dist/model/config.js';
    import { LoopLM } from 'dist/model/loop-lm.js';
    import { emptyBatch } from 'dist/data/loader/batch.js';
    import { tableOfBatch } from 'dist/eval/table-from-model.js';
    import { MAX_LOGITS } from 'dist/model/read-out.js';
    const isRead = ${kind === 'read-only'};
    const dtype = isRead ? 'bfloat16' : 'float32';
    const whole = LoopLM.create(parseOuroConfig(${JSON.stringify(shape)}, 'it'), new Generator(1), { dtype });
    const model = isRead ? whole.readOnly() : whole;
    const run = (rows, length) => {
      const batch = emptyBatch(rows, length);
      batch.inputIds.fill(1);
      batch.targetIds.fill(2);
      batch.lossMask.fill(1);
      batch.segmentIds.fill(0);
      batch.positionIds.forEach((_, at, all) => void (all[at] = at % length));
      return tableOfBatch(model, batch, MAX_LOGITS);
    };
    run(1, 8);
    const measured = () => run(${rows}, ${sequenceLength});
  `);
  const config = parseOuroConfig(shape, 'the test');
  const held = { config, device: 'cpu', dtype: 'float32', isStored: kind === 'read-only' } as const;
  const { pass, logits, tables } = planEvaluation(held, { rows, sequenceLength, tokens: rows * sequenceLength });
  const bound = pass + logits + tables;
  expect(grown).toBeLessThan(bound + SLACK);
  // Nor is it so large that it would refuse what fits.
  expect(bound).toBeLessThan(2 * grown);
});
