/**
 * Weights that are NaN or infinite never pass a model's opening. Here they are put in behind it: whatever the loops over logits meet,
 * they end, within their buffers, and so does the text. `npm run test:sanitize` runs this file on an addon that checks every access.
 */
import { liveTensors } from '@looprpt/engine';
import { afterAll, describe, expect, it } from 'vitest';
import { collectGarbage } from '../../../engine/test-support/collect-garbage.js';
import { tinyModel } from '../../test-support/slow/tiny-model.js';
import { modelOf } from '../../test-support/slow-bridge.js';
import type { ExitRule } from '../model/exit-rule.js';
import { Decoder } from './decoder.js';
import { ModelFault } from './model-fault.js';
import type { DecodeRequest } from './request.js';
import { type SamplingOptions, samplingConfig } from './sampling.js';

const HEAD = 'lm_head.weight';
const GATE = 'model.early_exit_gate.weight';
const broken: [name: string, parameter: string, at: (index: number) => boolean, value: number, fails: boolean][] = [
  ['one NaN in the head', HEAD, (i) => i === 3, Number.NaN, true],
  ['a head of NaN', HEAD, () => true, Number.NaN, true],
  ['an infinity in the head', HEAD, (i) => i === 3, Number.POSITIVE_INFINITY, true],
  ['a NaN in a layer', 'model.layers.0.self_attn.v_proj.weight', (i) => i === 0, Number.NaN, true],
  ['a gate of NaN', GATE, () => true, Number.NaN, false],
];

const samplings: [string, SamplingOptions][] = [
  ['greedy', { temperature: 0 }],
  ['drawn', { temperature: 1 }],
  ['top_k', { temperature: 1, topK: 3 }],
  ['top_p', { temperature: 1, topP: 0.9 }],
  ['min_p', { temperature: 0.7, minP: 0.1 }],
  ['all cuts', { temperature: 1, topK: 3, topP: 0.9, minP: 0.1, repetitionPenalty: 1.2, presencePenalty: 0.5 }],
];

const exits: ExitRule[] = [
  { rule: 'loops', loops: 2 },
  { rule: 'gate', threshold: 0.5 },
  { rule: 'hidden-change', threshold: 0.1 },
  { rule: 'confidence', threshold: 0.5 },
  { rule: 'entropy', threshold: 0.5 },
];

async function end(decoder: Decoder, request: DecodeRequest): Promise<unknown> {
  try {
    let finish: unknown;
    for await (const event of decoder.submit(request)) finish = event.finish ?? finish;
    return finish;
  } catch (error) {
    return error;
  }
}

describe.each(broken)('a model with %s', (_name, parameter, at, value, fails) => {
  const tiny = tinyModel(5);
  const { data } = tiny.params[parameter]!;
  for (let i = 0; i < data.length; i++) if (at(i)) data[i] = value;
  const model = modelOf(tiny, 'float32').setRequiresGrad(false);
  afterAll(() => model.dispose());

  it.each(samplings)('ends every text: %s', async (_sampling, sampling) => {
    await collectGarbage();
    const before = liveTensors();
    {
      using decoder = new Decoder(model, { maxLength: 32, pageSize: 4, maxSequences: 8 });
      const asked = { prompt: [1, 2, 3], maxTokens: 4, sampling: samplingConfig.parse(sampling), topLogProbs: 3 };
      const ends = await Promise.all([
        ...exits.map((exit) => end(decoder, { ...asked, exit })),
        end(decoder, { ...asked, logitBias: new Map([[3, Number.NEGATIVE_INFINITY]]), minTokens: 2, stopIds: [0] }),
        end(decoder, { ...asked, promptLogProbs: 2 }),
        end(decoder, { ...asked, speculate: true }),
      ]);
      for (const one of ends) {
        if (fails) expect(one).toBeInstanceOf(ModelFault);
        else expect(one).toBe('length');
      }
      expect(decoder.core.pool.free + decoder.core.prefixPages).toBe(decoder.core.pool.pages);
    }
    expect(liveTensors()).toBe(before);
  });
});
