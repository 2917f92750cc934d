/** A pass holds what one layer holds, however many layers there are: live tensors and their bytes, at many layers and tiny widths. */
import { Generator, liveTensors, noGrad, scope, type Tensor, tensor } from '@looprpt/engine';
import { describe, expect, test } from 'vitest';
import { DecoderCore } from '../decode/core.js';
import { passAttention } from './attend.js';
import { parseOuroConfig } from './config.js';
import { LoopLM } from './loop-lm.js';
import { FUSED, type Operators, PLAIN } from './operators.js';
import { runLayers } from './stack.js';

const SHAPE = { model_type: 'ouro', vocab_size: 32, hidden_size: 16, intermediate_size: 24, num_attention_heads: 2 };

function modelOf(layers: number, dtype: 'float32' | 'bfloat16'): LoopLM {
  const config = parseOuroConfig({ ...SHAPE, num_hidden_layers: layers, total_ut_steps: 2 }, 'the test');
  return LoopLM.create(config, new Generator(3), { dtype });
}

/** Most tensors alive beside those before the call, looked at within every layer. */
function mostAlive(model: LoopLM, operators: Operators, recorded: boolean): number {
  const before = liveTensors();
  const run = (): number =>
    scope(() => {
      const idsBT = tensor([[1, 2, 3, 4, 5]], { dtype: 'int64' });
      const pass = model.context({ idsBT });
      const { reads, mix } = passAttention(model.config, pass, operators);
      let most = 0;
      const looking = (rows: Tensor, layer: number): Tensor => {
        const mixed = mix(rows, layer);
        most = Math.max(most, liveTensors() - before);
        return mixed;
      };
      runLayers(model, operators, model.weights.embedding.slice(0, 0, 5).unsqueeze(0), { reads, mix: looking });
      return most;
    });
  model.setRequiresGrad(recorded);
  const most = recorded ? run() : noGrad(run);
  expect(liveTensors()).toBe(before);
  return most;
}

describe.each(['float32', 'bfloat16'] as const)('%s', (dtype) => {
  test.each([
    ['without gradients', false],
    ['with gradients', true],
  ])('a loop of 60 layers holds as many tensors as one of 3, %s', (_, recorded) => {
    const counts = [3, 60].map((layers) => {
      const model = modelOf(layers, dtype);
      try {
        return mostAlive(model, dtype === 'float32' ? FUSED : PLAIN, recorded);
      } finally {
        model.dispose();
      }
    });
    expect(counts[1]).toBe(counts[0]);
  });
});

test('prompts of all lengths leave no tensor behind at 40 layers', () => {
  const model = modelOf(40, 'bfloat16');
  using core = new DecoderCore(model, { maxSequences: 2, maxLength: 128, pageSize: 4, prefillRows: 32 });
  const run = (length: number): void => {
    core.add({ prompt: Array.from({ length }, (_, i) => (7 * i + length) % 32), maxTokens: 2 });
    while (core.pass() !== null);
  };
  run(4);
  const before = liveTensors();
  for (const length of [90, 3, 41, 120, 17, 64, 120]) {
    run(length);
    expect(liveTensors()).toBe(before);
  }
  core[Symbol.dispose]();
  model.dispose();
});
