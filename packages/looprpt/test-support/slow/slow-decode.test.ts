import { describe, expect, test } from 'vitest';
import type { GoldenDecoding } from './golden.js';
import { loadGolden } from './golden.js';
import type { SlowExitRule } from './slow-decode.js';
import { greedyDecode } from './slow-decode.js';

// The larger set decodes fewer tokens, for time: a decoder without a cache is quadratic in passes.
describe.each([
  ['tiny64', 12],
  ['gqa96', 3],
] as const)('golden generation of %s', (name, most) => {
  const { config, params, vectors } = loadGolden(name);

  function check(golden: GoldenDecoding, row: number, exit: SlowExitRule, prompt: number[], mask?: number[]) {
    const newTokens = Math.min(most, golden.tokens[row]!.length);
    const decoded = greedyDecode(config, params, prompt, { newTokens, exit, ...(mask && { mask }) });
    expect(decoded.tokens).toEqual(golden.tokens[row]!.slice(0, newTokens));
    if (golden.exit_step) expect(decoded.exitSteps).toEqual(golden.exit_step[row]!.slice(0, newTokens));
    decoded.chosenLogits.forEach((logit, n) => {
      expect(Math.abs(logit - golden.chosen_logits[row]![n]!)).toBeLessThan(1e-4);
    });
  }

  test.each(Object.keys(vectors.generation.exit_at_step))('fixed step %s', (step) => {
    vectors.input_ids.forEach((prompt, row) => {
      check(vectors.generation.exit_at_step[step]!, row, { kind: 'fixed', step: Number(step) }, prompt);
    });
  });

  test.each(Object.keys(vectors.generation.threshold))('threshold %s', (threshold) => {
    vectors.input_ids.forEach((prompt, row) => {
      check(vectors.generation.threshold[threshold]!, row, { kind: 'threshold', threshold: Number(threshold) }, prompt);
    });
  });

  test('left padding', () => {
    const { input_ids, attention_mask, exit_at_step, generation } = vectors.left_padding;
    input_ids.forEach((prompt, row) => {
      check(generation, row, { kind: 'fixed', step: exit_at_step }, prompt, attention_mask[row]!);
    });
  });
});
