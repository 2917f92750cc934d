/** What a config.json says of rotary embeddings, in the ways that transformers 4 and 5 write it. */
import { describe, expect, it } from 'vitest';
import { configJson, tinyConfig } from '../../test-support/slow/tiny-model.js';
import { parseOuroConfig, toOuroConfig } from './config.js';

const { rope_theta: _, ...BARE } = configJson(tinyConfig({})) as Record<string, unknown>;
const THETA = 1e6;

const parsed = (keys: Record<string, unknown>) =>
  parseOuroConfig({ ...BARE, rope_scaling: undefined, ...keys }, 'config.json');
const theta = (keys: Record<string, unknown>): number => parsed(keys).ropeTheta;

describe('θ', () => {
  it.each([
    ['beside a null rope_scaling, as transformers 4 writes it', { rope_theta: THETA, rope_scaling: null }],
    [
      'in rope_parameters, as transformers 5 writes it',
      { rope_parameters: { rope_theta: THETA, rope_type: 'default' } },
    ],
    ['in both', { rope_theta: THETA, rope_parameters: { rope_theta: THETA, rope_type: 'default' } }],
    ['beside a scaling that is none', { rope_theta: THETA, rope_scaling: { rope_type: 'default' } }],
    ['beside a scaling that is none, older name', { rope_theta: THETA, rope_scaling: { type: 'default' } }],
    ['in a rope_scaling', { rope_scaling: { rope_type: 'default', rope_theta: THETA } }],
    [
      'by layer type, where all agree',
      {
        rope_parameters: {
          full_attention: { rope_theta: THETA, rope_type: 'default' },
          sliding_attention: { rope_theta: THETA, rope_type: 'default' },
        },
      },
    ],
  ])('stands %s', (_, keys) => {
    expect(theta(keys)).toBe(THETA);
    expect(parsed(keys).remarks).toBeUndefined();
  });

  it('is 10,000 where nobody says', () => {
    expect(theta({})).toBe(10_000);
    expect(theta({ rope_parameters: { rope_type: 'default' } })).toBe(10_000);
  });

  it.each([
    [
      { rope_theta: 1e4, rope_parameters: { rope_theta: THETA } },
      'rope_parameters.rope_theta: 1000000, but rope_theta is 10000',
    ],
    [
      { rope_parameters: { full_attention: { rope_theta: THETA }, sliding_attention: { rope_theta: 1e4 } } },
      'rope_parameters.sliding_attention.rope_theta: 10000, but rope_parameters.full_attention.rope_theta is 1000000',
    ],
    [{ rope_parameters: { rope_theta: THETA, rope_type: 'yarn', factor: 4 } }, 'rope_parameters: rope_type "yarn"'],
    [{ rope_scaling: { type: 'linear', factor: 2 } }, 'rope_scaling: rope_type "linear"'],
    [
      { rope_parameters: { full_attention: { rope_type: 'llama3' } } },
      'rope_parameters.full_attention: rope_type "llama3"',
    ],
    [
      { rope_parameters: { rope_theta: THETA, partial_rotary_factor: 0.5 } },
      'rope_parameters.partial_rotary_factor: 0.5',
    ],
  ])('of %j is refused by name', (keys, message) => {
    expect(() => parsed(keys)).toThrow(`config.json: ${message}`);
  });

  it('is written in one form, which reads back the same, also after a file of transformers 5', () => {
    const read = parsed({ rope_parameters: { rope_theta: THETA, rope_type: 'default' }, dtype: 'bfloat16' });
    const written = toOuroConfig(read, 'float32');
    expect(written).toMatchObject({ rope_theta: THETA, rope_scaling: null, torch_dtype: 'float32' });
    expect(written).not.toHaveProperty('rope_parameters');
    expect(written).not.toHaveProperty('dtype');
    expect(parseOuroConfig(written, 'config.json').ropeTheta).toBe(THETA);
  });
});

describe('keys that are not of the architecture', () => {
  it('are named where they may change the computation, and only there', () => {
    const { remarks } = parsed({
      rope_parameters: { rope_type: 'default', factor: 4 },
      transformers_version: '5.24.0',
      attention_bias: false,
      final_logit_softcapping: 30,
      embedding_multiplier: 12,
      attention_dropout: 0.1,
    });
    expect(remarks).toEqual([
      'rope_parameters.factor is not known here and has no effect',
      'embedding_multiplier is not known here and has no effect',
      'final_logit_softcapping is not known here and has no effect',
      'attention_dropout 0.1 is not applied: training has no dropout here',
    ]);
  });

  it('are carried along', () => {
    expect(toOuroConfig(parsed({ embedding_multiplier: 12 }), 'float32')).toMatchObject({ embedding_multiplier: 12 });
  });
});

it('a padding id of −1 is none, and another architecture is named', () => {
  expect(parsed({ pad_token_id: -1 }).padTokenId).toBeNull();
  expect(() => parsed({ model_type: 'llama' })).toThrow(
    'config.json: model_type: "llama": Ouro\'s architecture is run here, "ouro"',
  );
});
