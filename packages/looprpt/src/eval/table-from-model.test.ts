import { liveTensors } from '@looprpt/engine';
import { describe, expect, it } from 'vitest';
import { collectGarbage } from '../../../engine/test-support/collect-garbage.js';
import { GOLDEN, goldenCase, tinyLoopLM } from '../../test-support/eval-models.js';
import { entropy, exitCdf, exitPdf } from '../../test-support/slow/slow-exit.js';
import { forward, gateLogit, headLogits, logSoftmax } from '../../test-support/slow/slow-loop-lm.js';
import { statesAt } from '../../test-support/slow/slow-readout.js';
import type { PackedBatch } from '../data/loader/batch.js';
import { tableFromModel } from './table-from-model.js';
import { concatTables, selectTokens, type TokenTable } from './token-table.js';

/** Two rows of two pieces of documents and of one, a further piece of the first, and padding at the end, with some places left out of the loss. */
function packed(): PackedBatch {
  const rows = [
    { ids: [3, 1, 4, 1, 5, 9, 2, 6], segments: [0, 0, 0, 1, 1, 1, 1, -1], mask: [0, 1, 1, 1, 0, 1, 1, 0], of: [5, 7] },
    { ids: [5, 3, 5, 8, 9, 7, 9, 3], segments: [0, 0, 0, 0, 0, -1, -1, -1], mask: [1, 0, 0, 1, 1, 0, 0, 0], of: [5] },
  ];
  const flat = (pick: (row: (typeof rows)[number]) => number[]) => Int32Array.from(rows.flatMap(pick));
  return {
    B: 2,
    S: 8,
    inputIds: flat(({ ids }) => ids),
    targetIds: flat(({ ids }) => ids.map((id, s) => (ids[s + 1] ?? id) % 11)),
    segmentIds: flat(({ segments }) => segments),
    documentIds: flat(({ segments, of }) => segments.map((segment) => of[segment] ?? -1)),
    positionIds: flat(({ segments }) =>
      segments.map((segment, s) => (segment < 0 ? 0 : s - segments.indexOf(segment))),
    ),
    lossMask: Uint8Array.from(rows.flatMap(({ mask }) => mask)),
    tokens: 12,
    lossTokens: 8,
  };
}

const flatten = (table: TokenTable) => Object.values(table).map((value) => JSON.stringify(value));

describe('tableFromModel', () => {
  it('says what the slow model says about every counted token', async () => {
    const { model, slow } = tinyLoopLM(7);
    const batch = packed();
    await collectGarbage();
    const before = liveTensors();
    const table = await tableFromModel(model, [batch], { maxLogits: 4 * 11 });
    expect(liveTensors()).toBe(before);

    const rowsOf = (flat: ArrayLike<number>) => [0, 1].map((b) => Array.from(flat).slice(b * 8, b * 8 + 8));
    const pass = forward(slow.config, slow.params, { ids: rowsOf(batch.inputIds), segments: rowsOf(batch.segmentIds) });
    const places = [...batch.lossMask.keys()].filter((at) => batch.lossMask[at] === 1);
    expect(table).toMatchObject({ tokens: places.length, loops: 3 });
    expect([...table.sequence]).toEqual([0, 0, 1, 1, 1, 2, 2, 2]);
    expect([...table.document]).toEqual([5, 5, 7, 7, 7, 5, 5, 5]);
    expect([...table.context]).toEqual([2, 3, 1, 3, 4, 1, 4, 5]);
    places.forEach((at, n) => {
      const place = { row: Math.floor(at / 8), position: at % 8 };
      const states = statesAt(pass, place);
      const cdf = exitCdf(exitPdf(states.map((state) => gateLogit(slow.params, state))));
      const id = batch.inputIds[at]!;
      let previous = Array.from(slow.params['model.embed_tokens.weight']!.data.subarray(id * 8, id * 8 + 8));
      states.forEach((state, k) => {
        const logProbs = logSoftmax(headLogits(slow.config, slow.params, state));
        const norm = (x: number[]) => Math.hypot(...x);
        const best = logProbs.indexOf(Math.max(...logProbs));
        expect(table.logProb[k]![n]).toBeCloseTo(logProbs[batch.targetIds[at]!]!, 4);
        expect(table.prediction[k]![n]).toBe(best);
        expect(table.correct[k]![n]).toBe(best === batch.targetIds[at] ? 1 : 0);
        expect(table.entropy[k]![n]).toBeCloseTo(entropy(logProbs.map(Math.exp)), 4);
        expect(table.confidence[k]![n]).toBeCloseTo(Math.exp(Math.max(...logProbs)), 5);
        expect(table.gateLogit[k]![n]).toBeCloseTo(gateLogit(slow.params, state), 4);
        expect(table.exitCdf[k]![n]).toBeCloseTo(cdf[k]!, 5);
        const change = norm(state.map((x, e) => x - previous[e]!)) / norm(state);
        expect(table.hiddenChange[k]![n]).toBeCloseTo(change, 4);
        previous = state;
      });
    });
  });

  it('does not depend on the size of its chunks or on how rows are batched', async () => {
    const { model } = tinyLoopLM(3);
    const batch = packed();
    const row = (b: number): PackedBatch => ({
      ...batch,
      B: 1,
      inputIds: batch.inputIds.slice(b * 8, b * 8 + 8),
      targetIds: batch.targetIds.slice(b * 8, b * 8 + 8),
      segmentIds: batch.segmentIds.slice(b * 8, b * 8 + 8),
      documentIds: batch.documentIds.slice(b * 8, b * 8 + 8),
      positionIds: batch.positionIds.slice(b * 8, b * 8 + 8),
      lossMask: batch.lossMask.slice(b * 8, b * 8 + 8),
    });
    const whole = await tableFromModel(model, [batch]);
    const apart = await tableFromModel(model, [row(0), row(1)], { maxLogits: 1 });
    expect(apart.sequence).toEqual(whole.sequence);
    expect(apart.document).toEqual(whole.document);
    expect(apart.context).toEqual(whole.context);
    expect(apart.prediction).toEqual(whole.prediction);
    for (const name of ['logProb', 'entropy', 'exitCdf', 'hiddenChange'] as const)
      for (let k = 0; k < 3; k++)
        for (let n = 0; n < whole.tokens; n++) expect(apart[name][k]![n]).toBeCloseTo(whole[name][k]![n]!, 5);
  });

  it.each(GOLDEN)('agrees with the golden logits and gates of %s', async (name) => {
    const { model, golden } = goldenCase(name);
    const [B, S] = [2, 17];
    const ids = Int32Array.from(golden.input_ids.flat());
    const places = Array.from({ length: B * S }, (_, at) => at);
    const table = await tableFromModel(model, [
      {
        B,
        S,
        inputIds: ids,
        targetIds: ids.map((_, at) => ids[at + 1] ?? 0),
        segmentIds: new Int32Array(B * S),
        documentIds: new Int32Array(B * S),
        positionIds: Int32Array.from(places, (at) => at % S),
        tokens: B * S,
        lossTokens: B * S,
        lossMask: new Uint8Array(B * S).fill(1),
      },
    ]);
    const targets = places.map((at) => ids[at + 1] ?? 0);
    golden.logits_per_step.forEach((step, k) => {
      step.flat().forEach((logits, n) => {
        const logProbs = logSoftmax(logits);
        expect(Math.abs(table.logProb[k]![n]! - logProbs[targets[n]!]!)).toBeLessThan(2e-4);
        expect(Math.abs(table.gateLogit[k]![n]! - golden.gate_logits[k]!.flat()[n]!)).toBeLessThan(3e-5);
        expect(Math.abs(table.exitCdf[k]![n]! - golden.exit_cdf.flat()[n]![k]!)).toBeLessThan(5e-6);
      });
    });
    model.dispose();
  });

  it('refuses data in which nothing counts, and stops when it has enough', async () => {
    const { model } = tinyLoopLM(3);
    const batch = packed();
    await expect(tableFromModel(model, [{ ...batch, lossMask: new Uint8Array(16) }])).rejects.toThrow(/no token/);
    const seen: number[] = [];
    await tableFromModel(model, [batch, batch, batch], { maxTokens: 9, onProgress: (tokens) => seen.push(tokens) });
    expect(seen).toEqual([8, 16]);
  });
});

describe('token tables', () => {
  it('joined and cut apart again are what they were', async () => {
    const { model } = tinyLoopLM(5);
    const table = await tableFromModel(model, [packed()]);
    const joined = concatTables([table, table]);
    expect([...joined.sequence]).toEqual([...table.sequence, ...table.sequence.map((s) => s + 3)]);
    const indices = Array.from({ length: 8 }, (_, n) => n);
    expect(flatten(selectTokens(joined, indices))).toEqual(flatten(table));
    const second = selectTokens(
      joined,
      indices.map((n) => n + 8),
    );
    expect(flatten({ ...second, sequence: table.sequence })).toEqual(flatten(table));
  });
});
