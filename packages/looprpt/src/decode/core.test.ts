import { liveTensors, noGrad, scope, tensor } from '@looprpt/engine';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { collectGarbage } from '../../../engine/test-support/collect-garbage.js';
import { GOLDEN, goldenCase, tinyLoopLM } from '../../test-support/eval-models.js';
import { decode } from '../../test-support/plain-decode.js';
import { type SlowText, slowText } from '../../test-support/slow/slow-decoder.js';
import type { ExitRule } from '../model/exit-rule.js';
import type { LoopLM } from '../model/loop-lm.js';
import type { CachePolicy } from './cache-policy.js';
import { DecoderCore, type decoderConfig } from './core.js';
import type { DecodeRequest, TokenEvent } from './request.js';
import { GREEDY, samplingConfig } from './sampling.js';
import type { Sequence } from './sequence.js';

const disposables: (Disposable | LoopLM)[] = [];
afterEach(() => {
  for (const thing of disposables.splice(0).reverse())
    if (Symbol.dispose in thing) thing[Symbol.dispose]();
    else thing.dispose();
});
function tiny(seed: number, overrides = {}) {
  const made = tinyLoopLM(seed, overrides);
  disposables.push(made.model);
  return made;
}
function coreOf(model: LoopLM, options: z.input<typeof decoderConfig> = {}): DecoderCore {
  const core = new DecoderCore(model, { maxLength: 64, pageSize: 4, ...options });
  disposables.push(core);
  return core;
}

/** A request and the pass before which it arrives. */
interface Arrival {
  at: number;
  request: DecodeRequest;
}

const nothing = (): SlowText => ({ tokens: [], loops: [], logProbs: [], promptLogProbs: [] });

/** Runs everything; what each request yielded. All pages must be free afterwards, or kept for prompts to come. */
function run(
  core: DecoderCore,
  arrivals: readonly Arrival[],
  beforePass?: (n: number, all: Sequence[]) => void,
): SlowText[] {
  const texts = new Map<Sequence, SlowText>();
  const sequences: Sequence[] = [];
  for (let n = 0; sequences.length < arrivals.length || core.running + core.waiting > 0; n++) {
    for (const { request } of arrivals.filter(({ at }) => at === n)) {
      const sequence = core.add(request);
      sequences.push(sequence);
      texts.set(sequence, nothing());
    }
    beforePass?.(n, sequences);
    for (const [sequence, event] of core.pass()?.events ?? []) record(texts.get(sequence)!, event);
  }
  expect(core.pool.free + core.prefixPages).toBe(core.pool.pages);
  const inOrder = [...arrivals].sort((a, b) => a.at - b.at);
  return arrivals.map((arrival) => texts.get(sequences[inOrder.indexOf(arrival)]!)!);
}

function record(text: SlowText, { token, prompt }: TokenEvent): void {
  if (prompt) text.promptLogProbs.push(...prompt.map(({ logProb }) => logProb));
  if (!token) return;
  text.tokens.push(token.id);
  text.loops.push(token.loop);
  text.logProbs.push(token.logProb);
}

/** @param expected of the slow decoder, or of decoding that scores no prompts */
function expectSame(texts: SlowText[], expected: (Omit<SlowText, 'promptLogProbs'> & Partial<SlowText>)[]): void {
  texts.forEach((text, i) => {
    expect(text.tokens).toEqual(expected[i]!.tokens);
    expect(text.loops).toEqual(expected[i]!.loops);
    text.logProbs.forEach((logProb, n) => {
      expect(logProb).toBeCloseTo(expected[i]!.logProbs[n]!, 3);
    });
    // Those that were asked for; the slow decoder always tells them.
    text.promptLogProbs.forEach((logProb, n) => {
      expect(logProb).toBeCloseTo(expected[i]!.promptLogProbs![n]!, 3);
    });
  });
}

/** By place, the log-probabilities of what follows, from one pass over the whole prompt. */
function plainLogProbs(model: LoopLM, prompt: number[], loops: number): Float64Array[] {
  return noGrad(() =>
    scope(() => {
      const states = model.states({ idsBT: tensor([prompt], { dtype: 'int64' }) }, { loops });
      const logProbsTV = model.logits(states.at(-1)!).logSoftmax(-1).select(0, 0);
      return prompt.map((_, t) => logProbsTV.select(0, t).toNumbers());
    }),
  );
}

const prompts = [[3, 1, 4, 1, 5, 9, 2], [6, 5], [10], [8, 9, 7, 9, 3, 2, 3, 8, 4, 6, 2, 6], [0, 0, 7]];
const rules: ExitRule[] = [
  { rule: 'loops', loops: 3 },
  { rule: 'loops', loops: 1 },
  { rule: 'gate', threshold: 0.6 },
  { rule: 'gate', threshold: 0.5, maxLoops: 2 },
  { rule: 'hidden-change', threshold: 0.5 },
  { rule: 'confidence', threshold: 0.5 },
  { rule: 'entropy', threshold: 1.5 },
  { rule: 'replay', loops: [1, 3, 2, 2, 1] },
];
const policies: CachePolicy[] = [
  { decode: 'per-loop', prefill: 'all' },
  { decode: 'per-loop', prefill: 'adaptive' },
  { decode: 'last', prefill: 'all' },
  { decode: 'last', prefill: 'adaptive' },
  { decode: 'complete', prefill: 'all' },
];
const penalised = samplingConfig.parse({ temperature: 0, presencePenalty: 0.3, frequencyPenalty: -0.2 });
const sampled = samplingConfig.parse({ temperature: 1.3, topP: 0.95, repetitionPenalty: 1.1 });

describe.each(policies)('the batched decoder with cache $decode, prefill $prefill', (cache) => {
  it.each(rules)('equals the slow one with $rule, for ragged prompts, joins and leaves', (exit) => {
    const { model, slow } = tiny(11);
    const arrivals = prompts.map((prompt, i) => ({
      at: [0, 0, 3, 4, 9][i]!,
      request: {
        prompt,
        maxTokens: 9 - i,
        exit,
        seed: i,
        sampling: i % 2 ? sampled : penalised,
        ...(i % 2 ? { promptLogProbs: i } : {}),
      },
    }));
    const expected = arrivals.map(({ request }) => slowText(slow, request, cache));
    const texts = run(coreOf(model, { cache, maxSequences: 3, prefillRows: 4 }), arrivals);
    expectSame(texts, expected);
    expect(texts.map(({ promptLogProbs }) => promptLogProbs.length)).toEqual([0, 1, 0, 11, 0]);
  });
});

describe('the batched decoder', () => {
  it('equals the slow one for any mix of rules, prompts and arrivals', () => {
    const { model, slow } = tiny(3);
    const request = fc.record({
      prompt: fc.oneof(
        fc.array(fc.nat(10), { minLength: 1, maxLength: 9 }),
        fc.integer({ min: 1, max: 9 }).map((length) => [1, 2, 3, 4, 5, 6, 7, 8, 9].slice(0, length)),
      ),
      maxTokens: fc.integer({ min: 1, max: 6 }),
      exit: fc.constantFrom(...rules),
      seed: fc.nat(1000),
      sampling: fc
        .record({
          of: fc.constantFrom(sampled, GREEDY),
          presencePenalty: fc.constantFrom(0, 0.5),
          frequencyPenalty: fc.constantFrom(0, 0.7),
        })
        .map(({ of, ...penalties }) => ({ ...of, ...penalties })),
      stopIds: fc.constantFrom([], [4, 7]),
      follow: fc.constantFrom([], [], [3, 9, 3]),
    });
    const scored = fc.tuple(request, fc.option(fc.nat(3))).map(([request, promptLogProbs]) => ({
      ...request,
      ...(promptLogProbs === null ? {} : { promptLogProbs }),
    }));
    const arrivals = fc.array(fc.record({ at: fc.nat(12), request: scored }), { minLength: 1, maxLength: 6 });
    const settings = fc.record({
      maxSequences: fc.integer({ min: 1, max: 4 }),
      prefillRows: fc.integer({ min: 1, max: 7 }),
      pageSize: fc.integer({ min: 1, max: 5 }),
      pages: fc.integer({ min: 45, max: 90 }),
      reproducible: fc.boolean(),
      prefixReuse: fc.boolean(),
      cache: fc.constantFrom(...policies),
    });
    fc.assert(
      fc.property(arrivals, settings, (arrivals, settings) => {
        using core = new DecoderCore(model, { ...settings, maxLength: 16 });
        expectSame(
          run(core, arrivals),
          arrivals.map(({ request }) => slowText(slow, request, settings.cache)),
        );
      }),
      { numRuns: 40 },
    );
  });

  it('with grouped heads, a sliding window and tied embeddings equals its own plain operators', () => {
    const { model } = tiny(5, { heads: 4, kvHeads: 2, tieEmbeddings: true });
    const windows = [3, null];
    const windowed = Object.assign(Object.create(Object.getPrototypeOf(model)), model, {
      config: { ...model.config, windows },
    }) as LoopLM;
    const arrivals = prompts.map((prompt, i) => ({ at: i, request: { prompt, maxTokens: 8, exit: rules[2]! } }));
    const fused = run(coreOf(windowed), arrivals);
    windowed.kernels = 'plain';
    expectSame(run(coreOf(windowed), arrivals), fused);
    expect(fused).not.toEqual(run(coreOf(model), arrivals));
  });

  it.each(GOLDEN)('at full depth decodes %s as the golden file and as plain decoding do', (name) => {
    const { model, golden } = goldenCase(name);
    disposables.push(model);
    const { new_tokens: maxTokens, exit_at_step: fixed } = golden.generation;
    const loops = model.config.loops;
    // All loops, whether they are asked for or every rule is told never to be content.
    const exits: ExitRule[] = [
      { rule: 'loops', loops },
      { rule: 'gate', threshold: 1.01 },
      { rule: 'hidden-change', threshold: 0 },
    ];
    for (const reproducible of [true, false]) {
      for (const exit of exits) {
        const arrivals = golden.input_ids.map((prompt) => ({ at: 0, request: { prompt, maxTokens, exit } }));
        const texts = run(coreOf(model, { reproducible }), arrivals);
        expect(texts.map(({ tokens }) => tokens)).toEqual(fixed[String(loops - 1)]!.tokens);
      }
      const drawn = golden.input_ids.map((prompt, seed) => ({ prompt, maxTokens: 20, seed, sampling: sampled }));
      const plain = decode(model, drawn, { exit: { rule: 'loops', loops } });
      expectSame(
        run(
          coreOf(model, { reproducible }),
          drawn.map((request) => ({ at: 0, request })),
        ),
        plain,
      );
    }
  });

  it('gives a request the same bits whatever else is in the batch', () => {
    const { model } = goldenCase('gqa96');
    disposables.push(model);
    const request = { prompt: [5, 6, 7, 8, 9], maxTokens: 12, seed: 3, sampling: sampled, exit: rules[2]! };
    const others = Array.from({ length: 20 }, (_, i) => ({
      at: i % 7,
      request: {
        prompt: Array.from({ length: 1 + (i % 11) }, (_, t) => (i * 13 + t * 5) % 90),
        maxTokens: 1 + (i % 9),
      },
    }));
    const [alone] = run(coreOf(model), [{ at: 0, request }]);
    for (const at of [0, 2, 5]) {
      const [together] = run(coreOf(model, { prefillRows: 3 + at, maxSequences: 9 + at }), [
        { at, request },
        ...others,
      ]);
      expect(together).toEqual(alone);
    }
  });

  it('frees pages at once when a request is cancelled, wherever it stands, and disturbs nobody', async () => {
    const { model, slow } = tiny(7);
    await collectGarbage();
    const before = liveTensors();
    fc.assert(
      fc.property(fc.nat(12), fc.nat(2), fc.constantFrom(...policies), (when, which, cache) => {
        using core = new DecoderCore(model, { maxLength: 32, pageSize: 2, maxSequences: 2, prefillRows: 3, cache });
        const requests = prompts.slice(0, 3).map((prompt) => ({ prompt, maxTokens: 5, exit: rules[2]! }));
        let cancelled = -1;
        const texts = run(
          core,
          requests.map((request) => ({ at: 0, request })),
          (n, sequences) => {
            const sequence = sequences[which]!;
            if (n !== when || sequence.finish !== null) return;
            const held = core.pool.free;
            const admitted = sequence.slots !== null;
            expect(core.cancel(sequence)).toEqual({ token: null, text: '', finish: 'cancelled' });
            expect(core.cancel(sequence)).toBeNull();
            expect(core.pool.free > held || !admitted).toBe(true);
            expect(sequence.slots).toBeNull();
            cancelled = which;
          },
        );
        requests.forEach((request, i) => {
          const whole = slowText(slow, request, cache);
          if (i !== cancelled) expectSame([texts[i]!], [whole]);
          else expect(texts[i]!.tokens).toEqual(whole.tokens.slice(0, texts[i]!.tokens.length));
        });
      }),
      { numRuns: 25 },
    );
    expect(liveTensors()).toBe(before);
  });

  it('holds the same tensors after any amount of work', () => {
    const { model } = tiny(8);
    const core = coreOf(model, { pages: 40 });
    const work = (n: number): number => {
      const arrivals = prompts.map((prompt, i) => ({
        at: i,
        request: {
          prompt,
          maxTokens: 4,
          seed: n,
          exit: rules[(n + i) % rules.length]!,
          sampling: sampled,
          topLogProbs: i,
        },
      }));
      run(core, arrivals, (pass, sequences) => {
        if (pass === n) core.cancel(sequences.at(-1)!);
      });
      return liveTensors();
    };
    expect(new Set(Array.from({ length: 12 }, (_, n) => work(n))).size).toBe(1);
  });

  it('ends at stop ids and stop strings, obeys a bias, lists the likeliest tokens', () => {
    const { model } = tiny(4);
    const core = coreOf(model);
    const [free] = run(core, [{ at: 0, request: { prompt: [1, 2], maxTokens: 10 } }]);
    const letters = 'abcdefghijk';
    const spelled = free!.tokens.map((id) => letters[id]).join('');
    const stop = spelled.slice(4, 6);
    const stream = { push: (id: number) => letters[id]!, end: () => '' };
    const sequence = core.add({ prompt: [1, 2], maxTokens: 10, topLogProbs: 3, text: { stream, stop: [stop] } });
    const events: TokenEvent[] = [];
    while (core.running + core.waiting > 0) events.push(...core.pass()!.events.map(([, event]) => event));
    expect(events.map(({ text }) => text).join('')).toBe(spelled.slice(0, spelled.indexOf(stop)));
    expect(sequence.finish).toBe('stop');
    for (const { token } of events) {
      expect(token!.top).toHaveLength(3);
      expect(token!.top[0]).toEqual({ id: token!.id, logProb: token!.logProb });
    }
    const stopped = core.add({ prompt: [1, 2], maxTokens: 10, stopIds: [free!.tokens[2]!] });
    const forbidden = core.add({ prompt: [1, 2], maxTokens: 1, logitBias: new Map([[free!.tokens[0]!, -100]]) });
    while (core.running + core.waiting > 0) core.pass();
    expect(stopped.finish).toBe('stop');
    expect(stopped.ids.slice(2)).toEqual(free!.tokens.slice(0, free!.tokens.indexOf(free!.tokens[2]!)));
    expect(forbidden.ids[2]).not.toBe(free!.tokens[0]);
  });

  it('makes the first token in as many passes as it has loops, where its prompt is one chunk', () => {
    const { model } = goldenCase('gqa96');
    disposables.push(model);
    const { loops } = model.config;
    const passesOf = (cache: Partial<CachePolicy>, request: Partial<DecodeRequest> = {}): number => {
      const core = coreOf(model, { prefillRows: 9, cache });
      const sequence = core.add({ prompt: [5, 4, 3, 2, 1, 6, 7, 8, 9, 1], maxTokens: 1, ...request });
      for (let passes = 1; ; passes++) {
        core.pass();
        if (sequence.finish !== null) return passes;
      }
    };
    expect(passesOf({})).toBe(loops);
    expect(passesOf({}, { promptLogProbs: 0 })).toBe(loops);
    expect(passesOf({ decode: 'complete' })).toBe(loops);
    expect(passesOf({}, { exit: { rule: 'loops', loops: 2 } })).toBe(2);
    expect(passesOf({}, { exit: { rule: 'gate', threshold: 0 } })).toBe(1);
    // What decoding looks for is there only after the prompt.
    expect(passesOf({ decode: 'last' })).toBe(2 * loops);
  });

  it('scores a prompt as the plain model does at the last loop of the rule, in chunks and beside others', () => {
    const { model } = goldenCase('gqa96');
    disposables.push(model);
    const { loops, vocabSize } = model.config;
    const prompt = Array.from({ length: 23 }, (_, t) => (7 * t * t + 3) % vocabSize);
    for (const exit of [undefined, { rule: 'gate', threshold: 0.3, maxLoops: loops - 1 } as const]) {
      const core = coreOf(model, { prefillRows: 5 });
      // The same prompt was read before, and is in the prefix cache.
      run(core, [{ at: 0, request: { prompt, maxTokens: 2 } }]);
      const other = core.add({ prompt: prompt.toReversed(), maxTokens: 30 });
      for (const maxTokens of [0, 2]) {
        const sequence = core.add({ prompt, maxTokens, promptLogProbs: 3, ...(exit ? { exit } : {}) });
        const events: TokenEvent[] = [];
        while (sequence.finish === null)
          events.push(
            ...core
              .pass()!
              .events.filter(([of]) => of === sequence)
              .map(([, event]) => event),
          );
        expect(events.map(({ token, prompt }) => [token !== null, prompt?.length])).toEqual(
          maxTokens === 0
            ? [[false, 22]]
            : [
                [true, 22],
                [true, undefined],
              ],
        );
        expect(events.at(-1)!.finish).toBe('length');
        const last = exit?.maxLoops ?? loops;
        const plain = plainLogProbs(model, prompt, last);
        events[0]!.prompt!.forEach(({ id, loop, logProb, top }, t) => {
          expect([id, loop]).toEqual([prompt[t + 1], last]);
          expect(logProb).toBeCloseTo(plain[t]![id]!, 4);
          const best = [...plain[t]!].sort((a, b) => b - a).slice(0, 3);
          expect(top.map(({ logProb }) => logProb)).toEqual(best.map((one) => expect.closeTo(one, 4)));
          for (const { id, logProb } of top) expect(logProb).toBeCloseTo(plain[t]![id]!, 4);
        });
      }
      core.cancel(other);
      expect(core.pool.free + core.prefixPages).toBe(core.pool.pages);
    }
  });

  it('scores a prompt of one token, which has nothing to score', () => {
    const core = coreOf(tiny(4).model);
    const sequence = core.add({ prompt: [1], maxTokens: 0, promptLogProbs: 2 });
    const events: TokenEvent[] = [];
    while (sequence.finish === null) events.push(...core.pass()!.events.map(([, event]) => event));
    expect(events).toEqual([{ token: null, text: '', finish: 'length', prompt: [] }]);
  });

  it('reads the beginning that prompts share once, to the same bits, and gives it up when pages are wanted', () => {
    const { model } = tiny(6);
    const shared = [5, 1, 5, 2, 5, 3, 5, 4, 5];
    const request = (tail: number[], loops = 3): DecodeRequest => ({
      prompt: [...shared, ...tail],
      maxTokens: 3,
      exit: { rule: 'loops', loops },
    });
    const rowsOf = (core: DecoderCore, one: DecodeRequest): { rows: number; ids: number[]; logProbs: number[] } => {
      const sequence = core.add(one);
      const total = { rows: 0, ids: sequence.ids, logProbs: [] as number[] };
      for (let done = core.pass(); done; done = core.pass()) {
        total.rows += done.rows;
        for (const [, { token }] of done.events) total.logProbs.push(token!.logProb);
      }
      return total;
    };
    const core = coreOf(model, { pages: 24 });
    const apart = coreOf(model, { prefixReuse: false });
    const first = rowsOf(core, request([7, 8]));
    // 10 prompt tokens and 3 decoded ones, 3 loops each.
    expect(first.rows).toBe(39);
    expect(core.prefixPages).toBe(6);
    for (const [tail, rows] of [
      [[7, 8], 15],
      [[0], 12],
      [[7, 0, 1, 2], 21],
    ] as const) {
      const again = rowsOf(core, request([...tail]));
      const alone = rowsOf(apart, request([...tail]));
      expect([again.ids, again.logProbs]).toEqual([alone.ids, alone.logProbs]);
      expect(again.rows).toBe(rows);
    }
    // Read with fewer loops it is another beginning.
    expect(rowsOf(core, request([7, 8], 2)).rows).toBe(26);
    expect(core.prefixPages).toBe(13);
    rowsOf(core, {
      prompt: Array.from({ length: 26 }, (_, t) => t % 11),
      maxTokens: 4,
      exit: { rule: 'loops', loops: 3 },
    });
    expect(core.prefixPages).toBeLessThan(13 + 18);
    expect(core.pool.free + core.prefixPages).toBe(24);
    expect(apart.pool.free).toBe(apart.pool.pages);
  });

  it('holds a quarter of the pages with one slot a layer once the prompt is read', () => {
    const { model } = tiny(4, { loops: 4 });
    const pagesHeld = (cache: CachePolicy): number[] => {
      const core = coreOf(model, { cache });
      const held: number[] = [];
      run(core, [{ at: 0, request: { prompt: [1, 2, 3, 4, 5, 6, 7, 8, 9], maxTokens: 8 } }], () => {
        held.push(core.pool.pages - core.pool.free);
      });
      return held.slice(1);
    };
    expect(new Set(pagesHeld({ decode: 'per-loop', prefill: 'all' }))).toEqual(new Set([16]));
    expect(new Set(pagesHeld({ decode: 'last', prefill: 'all' }))).toEqual(new Set([10, 4]));
  });

  it('refuses what can never run, in one line', () => {
    const { model } = tiny(4);
    const core = coreOf(model, { pages: 6 });
    const add = (request: Partial<DecodeRequest>) => () => core.add({ prompt: [1], maxTokens: 2, ...request });
    expect(add({ prompt: [] })).toThrow(/prompt is empty/);
    expect(add({ prompt: [11] })).toThrow(/token id 11/);
    expect(add({ maxTokens: 0 })).toThrow(/max tokens: 0/);
    expect(add({ follow: [2, 11] })).toThrow(/token id 11/);
    expect(add({ promptLogProbs: -1 })).toThrow(/prompt log-probabilities: -1/);
    expect(add({ topLogProbs: 0.5 })).toThrow(/top log-probabilities: 0.5/);
    expect(add({ maxTokens: 64 })).toThrow(/65 tokens; this decoder takes 64/);
    expect(add({ maxTokens: 20 })).toThrow(/needs 15 cache pages/);
    expect(add({ exit: { rule: 'loops', loops: 4 } })).toThrow(/4 loops are asked for, the model has 3/);
    expect(add({ logitBias: new Map([[12, 1]]) })).toThrow(/logit bias: token id 12/);
  });
});
