import { liveTensors, noGrad, scope, tensor } from '@looprpt/engine';
import { samplingConfig } from 'looprpt/internal/decode/sampling.js';
import { type ExitRule, lastLoop } from 'looprpt/internal/model/exit-rule.js';
import type { LoopLM } from 'looprpt/internal/model/loop-lm.js';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { collectGarbage } from '../../engine/test-support/collect-garbage.js';
import { GOLDEN, goldenCase, tinyLoopLM } from './eval-models.js';
import { type DecodeRequest, decode, decodeSteps, readOut, type TokenEvent } from './plain-decode.js';
import { greedyDecode, type SlowExitRule } from './slow/slow-decode.js';
import { slowText } from './slow/slow-decoder.js';

const models: LoopLM[] = [];
const kept = (model: LoopLM): LoopLM => {
  models.push(model);
  return model;
};
afterEach(() => {
  for (const model of models.splice(0)) model.dispose();
});

const requests = (prompts: number[][], maxTokens: number): DecodeRequest[] =>
  prompts.map((prompt) => ({ prompt, maxTokens }));

/** The whole sequence again for every token, no cache. */
function uncached(model: LoopLM, prompt: number[], count: number, exit: ExitRule): { ids: number[]; loops: number[] } {
  const ids = [...prompt];
  const loops: number[] = [];
  for (let n = 0; n < count; n++) {
    noGrad(() =>
      scope(() => {
        const loopsRun = lastLoop(exit, model.config);
        const states = model.states({ idsBT: tensor([ids], { dtype: 'int64' }) }, { loops: loopsRun });
        const last = states.map((state) => state.select(1, ids.length - 1));
        const read = readOut(model, last, exit, { lastB: [ids.at(-1)!], numbersB: [ids.length - 1] });
        loops.push(read.loops[0]!);
        ids.push(model.logits(read.hiddenBE).argmax(-1).item());
      }),
    );
  }
  return { ids: ids.slice(prompt.length), loops };
}

describe.each(GOLDEN)('golden generation of %s', (name) => {
  const { model, golden } = goldenCase(name);
  afterAll(() => model.dispose());
  const { exit_at_step: fixed, threshold: thresholds, new_tokens: count } = golden.generation;

  it('at every fixed loop', () => {
    for (const [step, { tokens }] of Object.entries(fixed)) {
      const exit: ExitRule = { rule: 'loops', loops: Number(step) + 1 };
      const rows = decode(model, requests(golden.input_ids, count), { exit });
      expect(rows.map((row) => row.tokens)).toEqual(tokens);
      expect(rows.map((row) => row.loops)).toEqual(tokens.map((row) => row.map(() => Number(step) + 1)));
    }
  });

  it('at exit thresholds, with the loops used', () => {
    for (const [tau, { tokens, exit_step: steps }] of Object.entries(thresholds)) {
      const exit: ExitRule = { rule: 'gate', threshold: Number(tau) };
      const rows = decode(model, requests(golden.input_ids, count), { exit, prefillChunk: 5 });
      expect(rows.map((row) => row.tokens)).toEqual(tokens);
      expect(rows.map((row) => row.loops)).toEqual(steps!.map((row) => row.map((step) => step + 1)));
      expect(rows.map((row) => row.finishReason)).toEqual(['length', 'length']);
    }
  });

  it('of a left-padded batch', () => {
    const { pad, input_ids: ids, new_tokens: tokens, generation } = golden.left_padding;
    const exit: ExitRule = { rule: 'loops', loops: model.config.loops };
    const rows = decode(model, requests([ids[0]!, ids[1]!.slice(pad)], tokens), { exit });
    expect(rows.map((row) => row.tokens)).toEqual(generation.tokens);
  });
});

describe('decode', () => {
  const prompts = [
    [3, 1, 4, 1, 5, 9, 2],
    [6, 5],
    [10, 8, 9, 7],
  ];
  const exits: ExitRule[] = [
    { rule: 'loops', loops: 3 },
    { rule: 'loops', loops: 1 },
    { rule: 'gate', threshold: 0.5, maxLoops: 3 },
    { rule: 'gate', threshold: 0.6, maxLoops: 2 },
    { rule: 'hidden-change', threshold: 0.5 },
    { rule: 'confidence', threshold: 0.3 },
    { rule: 'entropy', threshold: 1.9 },
    { rule: 'replay', loops: [1, 3, 2, 2, 1] },
  ];

  it.each(exits)('of a batch equals each row alone, recomputation without cache, and the slow model (%o)', (exit) => {
    const { model, slow } = tinyLoopLM(11);
    kept(model);
    const batch = decode(model, requests(prompts, 8), { exit, prefillChunk: 3 });
    prompts.forEach((prompt, r) => {
      const [single] = decode(model, requests([prompt], 8), { exit });
      expect(batch[r]!.tokens).toEqual(single!.tokens);
      expect(batch[r]!.loops).toEqual(single!.loops);
      batch[r]!.logProbs.forEach((logProb, n) => {
        expect(logProb).toBeCloseTo(single!.logProbs[n]!, 4);
      });
      const whole = uncached(model, prompt, 8, exit);
      expect(single!.tokens).toEqual(whole.ids);
      expect(single!.loops).toEqual(whole.loops);
      const cached = slowText(slow, { prompt, maxTokens: 8, exit }, { decode: 'complete', prefill: 'all' });
      expect(single!.tokens).toEqual(cached.tokens);
      expect(single!.loops).toEqual(cached.loops);
      // The slow model without a cache runs all loops, and knows two rules.
      const rule: SlowExitRule | null =
        exit.rule === 'loops'
          ? { kind: 'fixed', step: exit.loops - 1 }
          : exit.rule === 'gate' && exit.maxLoops !== 2
            ? { kind: 'threshold', threshold: exit.threshold }
            : null;
      if (rule === null) return;
      const reference = greedyDecode(slow.config, slow.params, prompt, { newTokens: 8, exit: rule });
      expect(single!.tokens).toEqual(reference.tokens);
      expect(single!.loops).toEqual(reference.exitSteps.map((step) => step + 1));
    });
  });

  it('with a cap on the loops exits where all loops would, at the cap at the latest', () => {
    const { model } = tinyLoopLM(2);
    kept(model);
    for (const prompt of prompts) {
      const [all] = decode(model, requests([prompt], 1), { exit: { rule: 'gate', threshold: 0.55, maxLoops: 3 } });
      const [two] = decode(model, requests([prompt], 1), { exit: { rule: 'gate', threshold: 0.55, maxLoops: 2 } });
      expect(two!.loops).toEqual([Math.min(2, all!.loops[0]!)]);
    }
  });

  it('draws the same tokens for a seed whatever else is in the batch, and others for another seed', () => {
    const { model } = tinyLoopLM(4);
    kept(model);
    const exit: ExitRule = { rule: 'gate', threshold: 0.5, maxLoops: 3 };
    const sampling = samplingConfig.parse({ temperature: 1.5, topP: 0.95, repetitionPenalty: 1.1 });
    const request = (prompt: number[], seed: number): DecodeRequest => ({ prompt, maxTokens: 20, sampling, seed });
    const together = decode(model, [request(prompts[0]!, 5), request(prompts[1]!, 6), request(prompts[0]!, 7)], {
      exit,
    });
    const alone = decode(model, [request(prompts[1]!, 6)], { exit });
    expect(together[1]!.tokens).toEqual(alone[0]!.tokens);
    expect(together[0]!.tokens).not.toEqual(together[2]!.tokens);
  });

  it('ends rows by stop ids and by length, and says what it does as it goes', () => {
    const { model } = tinyLoopLM(4);
    kept(model);
    const exit: ExitRule = { rule: 'gate', threshold: 0.5, maxLoops: 3 };
    const free = decode(model, requests(prompts, 10), { exit });
    const stopId = free[1]!.tokens[4]!;
    const events: TokenEvent[] = [];
    const rows = decode(
      model,
      [
        { prompt: prompts[0]!, maxTokens: 3 },
        { prompt: prompts[1]!, maxTokens: 10, stopIds: [stopId] },
        { prompt: prompts[2]!, maxTokens: 6 },
      ],
      { exit },
      (event) => events.push(event),
    );
    const cut = free[1]!.tokens.indexOf(stopId);
    expect(rows.map((row) => row.finishReason)).toEqual(['length', 'stop', 'length']);
    expect(rows.map((row) => row.tokens)).toEqual([
      free[0]!.tokens.slice(0, 3),
      free[1]!.tokens.slice(0, cut),
      free[2]!.tokens.slice(0, 6),
    ]);
    rows.forEach((row, r) => {
      const own = events.filter((event) => event.row === r);
      expect(own.flatMap(({ token }) => (token ? [token.id] : []))).toEqual(row.tokens);
      expect(own.flatMap(({ token }) => (token ? [token.loop] : []))).toEqual(row.loops);
      expect(own.map(({ finish }) => finish).filter((finish) => finish !== null)).toEqual([row.finishReason]);
    });
  });

  it('leaves no tensor behind, also when it is stopped half-way', async () => {
    const { model } = tinyLoopLM(4);
    kept(model);
    const exit: ExitRule = { rule: 'gate', threshold: 0.5, maxLoops: 3 };
    await collectGarbage();
    const before = liveTensors();
    decode(model, requests(prompts, 5), { exit });
    expect(liveTensors()).toBe(before);
    for (const events of decodeSteps(model, requests(prompts, 5), { exit })) {
      expect(events).toHaveLength(3);
      break;
    }
    expect(liveTensors()).toBe(before);
  });

  it('refuses what it cannot decode, in one line', () => {
    const { model } = tinyLoopLM(4);
    kept(model);
    const exit: ExitRule = { rule: 'loops', loops: 3 };
    expect(() => decode(model, [{ prompt: [], maxTokens: 3 }], { exit })).toThrow(/prompt is empty/);
    expect(() => decode(model, [{ prompt: [11], maxTokens: 3 }], { exit })).toThrow(/token id 11/);
    expect(() => decode(model, [{ prompt: [1], maxTokens: 0 }], { exit })).toThrow(/max tokens: 0/);
    expect(() => decode(model, requests(prompts, 1), { exit: { rule: 'loops', loops: 4 } })).toThrow(/the model has 3/);
  });
});
