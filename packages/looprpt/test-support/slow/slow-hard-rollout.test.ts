import { describe, expect, test } from 'vitest';
import { hardRollout } from './slow-hard-rollout.js';
import { forward, linear, parameter, rmsNorm, sigmoid } from './slow-loop-lm.js';
import { statesAt } from './slow-readout.js';
import { latentNoise, tinyModel } from './tiny-model.js';

const { config, params } = tinyModel(7, { layers: 1, loops: 3 });
const input = { ids: [[3, 1, 4, 1, 5, 9]], segments: [[0, 0, 0, 1, 1, 1]] };
const clean = forward(config, params, input);
const passes = { start: clean, context: clean };
const noise = latentNoise(config, 8, 0.1, { rollouts: 1, rows: 1, length: 6 })[0]!;
const noiseAt = (s: number) => noise.map((loop) => loop[0]![s]!);

describe('hard rollout', () => {
  test('without noise it is the clean pass', () => {
    for (let s = 0; s < 6; s++) {
      const silent = noiseAt(s).map((vector) => vector.map(() => 0));
      expect(hardRollout(config, params, passes, input, 0, s, silent)).toEqual(
        statesAt(clean, { row: 0, position: s }),
      );
    }
  });

  test('equals a full rollout in the last loop when only that loop is noisy', () => {
    const late = noise.map((loop, k) => loop.map((row) => row.map((v) => v.map((x) => (k === 2 ? x : 0)))));
    const full = forward(config, params, input, late);
    const states = hardRollout(
      config,
      params,
      passes,
      input,
      0,
      4,
      late.map((loop) => loop[0]![4]!),
    );
    expect(states).toEqual(statesAt(full, { row: 0, position: 4 }));
  });

  test('differs from a full rollout once a noisy state would have become a key', () => {
    const full = statesAt(forward(config, params, input, noise), { row: 0, position: 4 });
    const alone = hardRollout(config, params, passes, input, 0, 4, noiseAt(4));
    expect(alone[0]).toEqual(full[0]);
    expect(alone[1]).not.toEqual(full[1]);
  });

  // The first position of a document sees itself alone: attention returns its clean value whatever the query is.
  test.each([0, 3])('at the first position of a document (%i) it reads its own clean value', (s) => {
    const weight = (name: string) => parameter(params, `model.layers.0.${name}.weight`);
    const states = hardRollout(config, params, passes, input, 0, s, noiseAt(s));
    const x = clean.hidden[0]![0]![s]!.map((value, e) => value + noise[0]![0]![s]![e]!);
    const value = clean.keyValues[1]![0]![0]![s]!.value[0]!;
    const attention = linear(weight('self_attn.o_proj'), [...value, ...value]);
    const branch = rmsNorm(weight('input_layernorm_2'), attention, config.normEps);
    const a = x.map((v, e) => v + branch[e]!);
    const u = rmsNorm(weight('post_attention_layernorm'), a, config.normEps);
    const up = linear(weight('mlp.up_proj'), u);
    const mlp = linear(
      weight('mlp.down_proj'),
      linear(weight('mlp.gate_proj'), u).map((t, f) => t * sigmoid(t) * up[f]!),
    );
    const mlpBranch = rmsNorm(weight('post_attention_layernorm_2'), mlp, config.normEps);
    const out = rmsNorm(
      parameter(params, 'model.norm.weight'),
      a.map((v, e) => v + mlpBranch[e]!),
      config.normEps,
    );
    states[1]!.forEach((actual, e) => {
      expect(actual).toBeCloseTo(out[e]! + noise[1]![0]![s]![e]!, 12);
    });
  });
});
