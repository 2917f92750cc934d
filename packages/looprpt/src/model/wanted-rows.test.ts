/** Rows of whose state nothing is wanted leave their keys and values in every layer, and take no part in what comes after. */
import { Generator, noGrad, scope, type Tensor, tensor } from '@looprpt/engine';
import { expect, test } from 'vitest';
import { parseOuroConfig } from './config.js';
import { LoopLM } from './loop-lm.js';
import { FUSED } from './operators.js';
import { runLayers } from './stack.js';

const LAYERS = 3;
const SHAPE = { model_type: 'ouro', vocab_size: 32, hidden_size: 16, intermediate_size: 24, num_attention_heads: 2 };

test.each([0, 2, 5])('of 5 rows the state of %i is wanted', (wanted) => {
  const config = parseOuroConfig({ ...SHAPE, num_hidden_layers: LAYERS, total_ut_steps: 2 }, 'the test');
  const model = LoopLM.create(config, new Generator(3));
  noGrad(() =>
    scope(() => {
      const run = (given?: number) => {
        const seen: Tensor[] = [];
        const expanded: number[] = [];
        const mix = (rows: Tensor): Tensor => {
          seen.push(rows);
          return rows.slice(1, 0, config.hiddenSize);
        };
        const swiglu: typeof FUSED.swiglu = (rows) => {
          expanded.push(rows.size(0));
          return FUSED.swiglu(rows);
        };
        const state = model.embed(tensor([1, 2, 3, 4, 5], { dtype: 'int64' }));
        const attention = { reads: 'qkv' as const, mix, kept: seen, ...(given === undefined ? {} : { wanted: given }) };
        return { state: runLayers(model, { ...FUSED, swiglu }, state, attention), seen, expanded };
      };
      const all = run();
      const some = run(wanted);
      expect(some.state.toArray()).toEqual(all.state.slice(0, 0, wanted).toArray());
      expect(some.seen.map((rows) => rows.toArray())).toEqual(all.seen.map((rows) => rows.toArray()));
      expect(some.expanded).toEqual([5, 5, wanted]);
    }),
  );
  model.dispose();
});
