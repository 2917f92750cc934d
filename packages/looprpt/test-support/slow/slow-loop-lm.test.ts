import { describe, expect, test } from 'vitest';
import { loadGolden } from './golden.js';
import { exitCdf, exitPdf, firstReaching } from './slow-exit.js';
import { finiteDifferenceGradient } from './slow-gradient.js';
import type { SlowTensor } from './slow-loop-lm.js';
import { forward, gateLogit, headLogits } from './slow-loop-lm.js';
import { expectedLogits, expectedLogitsLoss } from './slow-objectives.js';
import { countedPlaces, exitPdfOf, statesAt, targetsFromLabels } from './slow-readout.js';
import { latentNoise, random, tinyModel } from './tiny-model.js';

type Nested = number | Nested[];

/** Largest difference between two nested arrays of the same form. */
function largestDifference(actual: Nested, expected: Nested): number {
  if (typeof actual === 'number' || typeof expected === 'number') return Math.abs(Number(actual) - Number(expected));
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  return Math.max(...actual.map((part, n) => largestDifference(part, expected[n]!)));
}

function flatIndex(tensor: SlowTensor, index: readonly number[]): number {
  return index.reduce((flat, i, axis) => flat * tensor.shape[axis]! + i, 0);
}

describe.each(['tiny64', 'gqa96'] as const)('golden set %s', (name) => {
  const { config, params, vectors } = loadGolden(name);
  const pass = forward(config, params, { ids: vectors.input_ids });
  const pdfs = vectors.input_ids.map((row, b) =>
    row.map((_, s) => exitPdfOf(params, statesAt(pass, { row: b, position: s }))),
  );
  const batch = { ids: vectors.input_ids, targets: targetsFromLabels(vectors.labels) };

  test('logits and gates of every loop', () => {
    const logits = pass.hidden.map((loop) => loop.map((row) => row.map((h) => headLogits(config, params, h))));
    const gates = pass.hidden.map((loop) => loop.map((row) => row.map((h) => gateLogit(params, h))));
    expect(largestDifference(logits, vectors.logits_per_step)).toBeLessThan(1e-4);
    expect(largestDifference(gates, vectors.gate_logits)).toBeLessThan(3e-5);
  });

  test('exit pdf, cdf and the step at each threshold', () => {
    expect(largestDifference(pdfs, vectors.exit_pdf)).toBeLessThan(5e-6);
    const cdfs = pdfs.map((row) => row.map((pdf) => exitCdf(pdf)));
    expect(largestDifference(cdfs, vectors.exit_cdf)).toBeLessThan(5e-6);
    for (const [threshold, { exit_step }] of Object.entries(vectors.thresholds)) {
      expect(pdfs.map((row) => row.map((pdf) => firstReaching(pdf, Number(threshold))))).toEqual(exit_step);
    }
  });

  test('expected logits and their loss', () => {
    const mixed = vectors.input_ids.map((row, b) =>
      row.map((_, s) => expectedLogits(config, params, statesAt(pass, { row: b, position: s }))),
    );
    expect(largestDifference(mixed, vectors.expected_logits)).toBeLessThan(1e-4);
    expect(countedPlaces(batch)).toHaveLength(vectors.loss_positions);
    expect(Math.abs(expectedLogitsLoss(config, params, batch) - vectors.loss)).toBeLessThan(1e-5);
  });

  test('central differences equal the recorded gradient', () => {
    const names = Object.keys(vectors.grads.entries).filter((_, n) => n % 3 === 0);
    for (const parameterName of [...names, 'model.early_exit_gate.bias']) {
      const { index, value } = vectors.grads.entries[parameterName]![0]!;
      const gradient = finiteDifferenceGradient(
        (moved) => expectedLogitsLoss(config, moved, batch),
        params,
        parameterName,
        flatIndex(params[parameterName]!, index),
      );
      expect(Math.abs(gradient - value), parameterName).toBeLessThan(1e-5 + 1e-3 * Math.abs(value));
    }
  });
});

describe('forward', () => {
  const { config, params } = tinyModel(1, { heads: 4, kvHeads: 2 });
  const numbers = random(2);
  const tokens = (n: number) => Array.from({ length: n }, () => numbers.below(config.vocabSize));

  test('documents packed in one row do not see each other', () => {
    const [first, second] = [tokens(5), tokens(4)];
    const packed = forward(config, params, {
      ids: [[...first, ...second]],
      segments: [[...first.map(() => 0), ...second.map(() => 1)]],
    });
    const apart = forward(config, params, { ids: [first, second] });
    apart.hidden.forEach((loop, k) => {
      expect(packed.hidden[k]![0]).toEqual([...loop[0]!, ...loop[1]!]);
    });
  });

  test('left padding changes nothing but the place', () => {
    const ids = tokens(6);
    const padded = forward(config, params, { ids: [[0, 0, 0, ...ids]], attentionMask: [[0, 0, 0, 1, 1, 1, 1, 1, 1]] });
    const plain = forward(config, params, { ids: [ids] });
    expect(padded.hidden.map((loop) => loop[0]!.slice(3))).toEqual(plain.hidden.map((loop) => loop[0]));
  });

  test('later tokens do not reach earlier positions, earlier ones reach later positions', () => {
    const ids = tokens(6);
    const changed = ids.map((id, s) => (s === 3 ? (id + 1) % config.vocabSize : id));
    const [a, b] = [ids, changed].map((row) => forward(config, params, { ids: [row] }).hidden.at(-1)![0]!);
    expect(b!.slice(0, 3)).toEqual(a!.slice(0, 3));
    for (const s of [3, 4, 5]) expect(b![s]).not.toEqual(a![s]);
  });

  test('noise of a loop is added to its state and carried on', () => {
    const ids = tokens(4);
    const noise = latentNoise(config, 3, 0.1, { rollouts: 1, rows: 1, length: 4 })[0]!;
    const plain = forward(config, params, { ids: [ids] });
    const noisy = forward(config, params, { ids: [ids] }, noise);
    noisy.hidden[0]![0]!.forEach((state, s) => {
      expect(state).toEqual(plain.hidden[0]![0]![s]!.map((value, e) => value + noise[0]![0]![s]![e]!));
    });
    const onlyFirst = noise.map((loop, k) => loop.map((row) => row.map((v) => v.map((x) => (k === 0 ? x : 0)))));
    const carried = forward(config, params, { ids: [ids] }, onlyFirst);
    expect(largestDifference(carried.hidden[1]!, plain.hidden[1]!)).toBeGreaterThan(1e-3);
    const zero = noise.map((loop) => loop.map((row) => row.map((v) => v.map(() => 0))));
    expect(forward(config, params, { ids: [ids] }, zero)).toEqual(plain);
  });

  test('tied embeddings read with the embedding matrix', () => {
    const tied = tinyModel(4, { tieEmbeddings: true });
    const untied = { ...tied.params, 'lm_head.weight': tied.params['model.embed_tokens.weight']! };
    const hidden = forward(tied.config, tied.params, { ids: [[1, 2]] }).hidden[2]![0]![1]!;
    expect(headLogits(tied.config, tied.params, hidden)).toEqual(
      headLogits({ ...tied.config, tieEmbeddings: false }, untied, hidden),
    );
  });
});

test('the exit pdf sums to one, for saturated gates too, and ignores the last gate', () => {
  const numbers = random(5);
  for (let n = 0; n < 200; n++) {
    const gates = Array.from({ length: 1 + numbers.below(6) }, () => 20 * numbers.normal());
    const pdf = exitPdf(gates);
    expect(pdf.every((p) => p >= 0)).toBe(true);
    expect(exitCdf(pdf).at(-1)).toBeCloseTo(1, 12);
    expect(exitPdf([...gates.slice(0, -1), 0])).toEqual(pdf);
  }
});
