import { fileURLToPath } from 'node:url';
import { liveTensors } from '@looprpt/engine';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { collectGarbage } from '../../../engine/test-support/collect-garbage.js';
import { goldenCase, tinyLoopLM } from '../../test-support/eval-models.js';
import { loadModel } from '../checkpoint/folder.js';
import { Acceptance } from './acceptance.js';
import { DecoderCore } from './core.js';
import { Pace } from './pace.js';
import type { DecodeRequest, TokenEvent } from './request.js';
import { GREEDY, samplingConfig } from './sampling.js';
import type { Sequence } from './sequence.js';
import { type Speculate, Speculation } from './speculation.js';

const disposables: Disposable[] = [];
afterEach(() => {
  for (const thing of disposables.splice(0).reverse()) thing[Symbol.dispose]();
});
function open(name: string) {
  const folder = fileURLToPath(new URL(`../../models/${name}`, import.meta.url));
  const model = loadModel(folder, { dtype: 'float32' });
  disposables.push({ [Symbol.dispose]: () => model.dispose() });
  return model;
}

/** Mixed requests to compare; `npm run test:exact` runs many more. */
const REQUESTS = Number(process.env.LOOPRPT_EXACT_REQUESTS ?? 60);

interface Plan {
  request: DecodeRequest;
  /** The pass before which it joins, and the tokens after which it is cancelled. */
  at: number;
  cancelAfter: number;
}

/** Every event of every request, without what speculation alone tells. */
function run(core: DecoderCore, plans: readonly Plan[]): TokenEvent[][] {
  const events = plans.map((): TokenEvent[] => []);
  const numbers = new Map<Sequence, number>();
  for (let n = 0; numbers.size < plans.length || core.running + core.waiting > 0; n++) {
    plans.forEach(({ at, request }, i) => {
      if (at === n) numbers.set(core.add(request), i);
    });
    for (const [sequence, event] of core.pass()?.events ?? []) {
      const { speculation, ...told } = event;
      const i = numbers.get(sequence)!;
      if (told.token) delete told.token.drafted;
      if (sequence.request.speculate !== undefined && event.finish !== null) expect(speculation).toBeDefined();
      events[i]!.push(told);
      if (events[i]!.length < plans[i]!.cancelAfter || sequence.finish !== null) continue;
      core.cancel(sequence);
      events[i]!.push({ token: null, text: '', finish: 'cancelled' });
    }
  }
  expect(core.pool.free + core.prefixPages).toBe(core.pool.pages);
  expect(core.keptStates).toBe(0);
  return events;
}

/** Text of ids that a stop string can be found in. */
const letters = { push: (id: number) => String.fromCharCode(97 + (id % 23)), end: () => '' };

const plansOf = (vocabulary: number): fc.Arbitrary<Plan> => {
  const id = fc.nat(vocabulary - 1);
  const beginnings = Array.from({ length: 40 }, (_, t) => (t * t + 3 * t) % Math.min(vocabulary, 90));
  const sampling = fc
    .record({
      temperature: fc.constantFrom(0, 0, 0.7, 1, 1.5),
      topK: fc.constantFrom(0, 0, 5),
      topP: fc.constantFrom(1, 1, 0.9),
      minP: fc.constantFrom(0, 0, 0.05),
      repetitionPenalty: fc.constantFrom(1, 1, 1.3),
      presencePenalty: fc.constantFrom(0, 0, 0.5),
      frequencyPenalty: fc.constantFrom(0, 0, 0.4),
    })
    .map((settings) => samplingConfig.parse(settings));
  const request = fc.record({
    prompt: fc.oneof(
      fc.array(id, { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 40 }).map((length) => beginnings.slice(0, length)),
    ),
    maxTokens: fc.integer({ min: 1, max: 30 }),
    sampling,
    seed: fc.nat(2 ** 31),
    stopIds: fc.oneof(fc.constant([]), fc.array(id, { maxLength: 3 })),
    topLogProbs: fc.constantFrom(0, 0, 3),
    logitBias: fc.oneof(
      fc.constant(new Map<number, number>()),
      fc
        .array(fc.tuple(id, fc.constantFrom(-5, 3, Number.NEGATIVE_INFINITY)), { maxLength: 3 })
        .map((pairs) => new Map(pairs)),
    ),
    stop: fc.constantFrom([], [], ['ab'], ['k', 'ef']),
    minTokens: fc.constantFrom(0, 0, 1),
    scored: fc.constantFrom(null, null, 2),
    speculate: fc.constantFrom<true | Speculate | undefined>(
      ...[true as const, true as const, { draftLoops: 1 }, { draftLoops: 2 }, { maxDraft: 1 }],
      ...[{ draftLoops: 1, maxDraft: 2 }, undefined],
    ),
    exit: fc.constantFrom<DecodeRequest['exit']>(
      undefined,
      undefined,
      { rule: 'loops', loops: 2 },
      { rule: 'gate', threshold: 0.5 },
    ),
  });
  return fc
    .record({ request, at: fc.nat(40), cancelAfter: fc.constantFrom(1000, 1000, 1000, 3) })
    .map(({ request, ...when }) => {
      const { stop, scored, speculate, exit, ...common } = request;
      return {
        ...when,
        request: {
          ...common,
          text: { stream: letters, stop },
          ...(scored === null ? {} : { promptLogProbs: scored }),
          ...(exit === undefined ? {} : { exit }),
          ...(speculate === undefined || exit?.rule === 'gate'
            ? {}
            : { speculate: exit && speculate !== true ? { draftLoops: 1 } : speculate }),
        },
      };
    });
};

/** All are different requests, so that each counts. */
function compare(model: ReturnType<typeof open>, requests: number): void {
  const settings = fc.record({
    maxSequences: fc.integer({ min: 1, max: 9 }),
    prefillRows: fc.integer({ min: 1, max: 30 }),
    pageSize: fc.integer({ min: 1, max: 8 }),
    prefixReuse: fc.boolean(),
    decode: fc.constantFrom('per-loop' as const, 'complete' as const),
  });
  const each = 10;
  fc.assert(
    fc.property(
      fc.array(plansOf(model.config.vocabSize), { minLength: each, maxLength: each, size: 'max' }),
      settings,
      (plans, { decode, ...sizes }) => {
        const config = { ...sizes, maxLength: 80, cache: { decode } };
        using drafting = new DecoderCore(model, config);
        const texts = run(drafting, plans);
        using whole = new DecoderCore(model, { maxLength: 80, cache: { decode }, prefixReuse: false });
        const alone = plans.map(({ request: { speculate, ...request }, ...plan }) => ({ ...plan, request }));
        // toEqual compares numbers with Object.is: log-probabilities to the last bit.
        expect(texts).toEqual(run(whole, alone));
      },
    ),
    { numRuns: Math.ceil(requests / each) },
  );
}

describe('speculation over depth', () => {
  it('gives the events of full depth, to the last bit, for mixed requests that join, stop and are cancelled', async () => {
    await collectGarbage();
    const before = liveTensors();
    compare(goldenCase('gqa96').model, REQUESTS / 3);
    compare(open('hop-base'), (2 * REQUESTS) / 3);
    for (const thing of disposables.splice(0)) thing[Symbol.dispose]();
    expect(liveTensors()).toBeGreaterThanOrEqual(before);
  });

  it('takes fewer passes where early loops are right, and says so', () => {
    const model = open('hop-base');
    using core = new DecoderCore(model, { maxLength: 80 });
    const sequence = core.add({ prompt: [5, 6, 7], maxTokens: 40, speculate: { draftLoops: 2 } });
    let drafted = 0;
    let last: TokenEvent | undefined;
    while (sequence.finish === null)
      for (const [, event] of core.pass()!.events) {
        if (event.token?.drafted !== undefined) {
          expect(event.token.drafted).toBeGreaterThanOrEqual(2);
          drafted++;
        }
        last = event;
      }
    const { speculation } = last!;
    expect(speculation!.accepted).toBe(drafted);
    expect(speculation!.drafted).toBeGreaterThanOrEqual(drafted);
    expect(drafted).toBeGreaterThan(0);
    expect(speculation!.passes).toBeLessThan(4 * 40);
    expect(core.speculation).toEqual(speculation);
  });

  it('is refused by name where it cannot be exact', () => {
    const { model } = tinyLoopLM(4);
    disposables.push({ [Symbol.dispose]: () => model.dispose() });
    using core = new DecoderCore(model, { maxLength: 64 });
    const add = (request: Partial<DecodeRequest>) => () =>
      core.add({ prompt: [1], maxTokens: 2, speculate: true, ...request });
    expect(add({ exit: { rule: 'gate', threshold: 0.5 } })).toThrow(
      /speculation makes the text of a fixed number of loops/,
    );
    expect(add({ speculate: { draftLoops: 0 } })).toThrow(/speculate: /);
    expect(add({ speculate: { draftLoops: 3 } })).toThrow(/draft loops: 3 .* 3 loops/);
    using last = new DecoderCore(model, { maxLength: 64, cache: { decode: 'last' } });
    expect(() => last.add({ prompt: [1], maxTokens: 2, speculate: true })).toThrow(/cache `last`/);
    expect(core.add({ prompt: [1], maxTokens: 2, sampling: GREEDY, speculate: true }).finish).toBeNull();
  });
});

describe('how bold drafts are', () => {
  /** The bound after many passes, of which one costs fixed + rows and makes tokens as drafts at that bound do. */
  const bound = (sequences: number, fixed: number, wasted = 0.5): number => {
    let time = 0;
    const pace = new Pace(() => time);
    const kept: number[] = [];
    for (let n = 0; n < 4000; n++) {
      const least = pace.begin(sequences);
      if (n > 2000) kept.push(least);
      // Bold ones give more tokens a pass, and rows for nothing.
      const boldness = least > 1 ? 0 : 1.2 - least;
      const tokens = (sequences / 4) * (1 + 1.5 * boldness);
      time += fixed + 4 * tokens + sequences * wasted * boldness;
      pace.end(tokens);
    }
    return kept.sort((a, b) => a - b)[kept.length >> 1]!;
  };

  it('is what makes tokens cheapest: far where passes cost, not at all where rows do', () => {
    expect(bound(1, 30)).toBeLessThan(0.5);
    expect(bound(32, 0)).toBe(Number.POSITIVE_INFINITY);
    expect(bound(1, 30)).toBeLessThan(bound(6, 0.1));
  });

  it('loses no more than a hundredth where drafts do not pay, and does not count what is not decoding', () => {
    let time = 0;
    const pace = new Pace(() => time);
    let [spent, plain] = [0, 0];
    for (let n = 0; n < 20_000; n++) {
      if (n % 50 === 0) {
        pace.pause();
        time += 1000;
      }
      const drafts = pace.begin(8) <= 1;
      // Half as dear again with drafts, for no more tokens.
      time += drafts ? 3 : 2;
      spent += drafts ? 3 : 2;
      plain += 2;
      pace.end(2);
    }
    expect(spent).toBeGreaterThan(plain);
    // And what may be lost before there has been much time, with the passes that settle.
    expect(spent).toBeLessThan(1.01 * plain + 300);
  });

  it('decides what is read off and what is started', () => {
    let time = 0;
    const speculation = new Speculation(4, () => time++);
    const opinion = (margin: number) => ({ loop: 1, id: 1, margin });
    for (let n = 0; n < 800; n++) speculation.acceptance.record(opinion((n % 80) / 10), n % 80 > 30);
    for (let n = 0; n < 300; n++) {
      speculation.begin(1, true);
      speculation.end(1);
    }
    speculation.begin(1, true);
    expect([speculation.starts(opinion(0.3), {}), speculation.starts(opinion(5), {})]).toEqual([false, true]);
    expect([speculation.sifts(opinion(0.3)), speculation.sifts(opinion(7))]).toEqual([true, false]);
    expect(speculation.asks(1, {})).toBe(true);
    expect(speculation.starts(opinion(Number.NaN), {})).toBe(false);
    for (let n = 0; n < 800; n++) speculation.acceptance.record(opinion((n % 80) / 10), false);
    for (let n = 0; n < 8000; n++) speculation.acceptance.record(opinion((n % 80) / 10), false);
    const asked = Array.from({ length: 640 }, () => speculation.asks(1, {}));
    expect(asked.filter(Boolean)).toHaveLength(10);
  });

  it('is what was asked for, where that is said', () => {
    const made = new Speculation(4, () => 0);
    expect([made.asks(1, { draftLoops: 2 }), made.asks(2, { draftLoops: 2 })]).toEqual([false, true]);
    expect(made.starts({ loop: 2, id: 1, margin: 0 }, { draftLoops: 2 })).toBe(true);
  });
});

describe('acceptance', () => {
  it('is learned by loop and margin, and forgets slowly', () => {
    const acceptance = new Acceptance(2);
    expect(acceptance.mean(1, (p) => p)).toBeNull();
    for (let n = 0; n < 1000; n++) acceptance.record({ loop: 1, id: 0, margin: 0.3 }, n % 4 === 0);
    expect(acceptance.of({ loop: 1, margin: 0.4 })).toBeCloseTo(0.25, 1);
    expect(acceptance.of({ loop: 2, margin: 0.4 })).toBeGreaterThan(0.5);
    expect(acceptance.mean(1, (p) => p)).toBeCloseTo(0.25, 1);
    for (let n = 0; n < 2000; n++) acceptance.record({ loop: 1, id: 0, margin: 0.3 }, true);
    expect(acceptance.of({ loop: 1, margin: 0.4 })).toBeGreaterThan(0.9);
    expect(acceptance.of({ loop: 1, margin: Number.NaN })).toBe(0);
  });
});
