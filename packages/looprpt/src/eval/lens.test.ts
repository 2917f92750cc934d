import { stripVTControlCharacters } from 'node:util';
import { liveTensors } from '@looprpt/engine';
import { describe, expect, it } from 'vitest';
import { collectGarbage } from '../../../engine/test-support/collect-garbage.js';
import { GOLDEN, goldenCase, tinyLoopLM } from '../../test-support/eval-models.js';
import { entropy } from '../../test-support/slow/slow-exit.js';
import { logSoftmax } from '../../test-support/slow/slow-loop-lm.js';
import { lens } from './lens.js';
import { renderLens } from './lens-table.js';

describe('lens', () => {
  it.each(GOLDEN)('shows the golden vectors of %s', async (name) => {
    const { model, golden } = goldenCase(name);
    await collectGarbage();
    const before = liveTensors();
    const taus = Object.keys(golden.thresholds);
    const result = lens(model, golden.input_ids, { name, taus, top: 3, logits: true });
    expect(liveTensors()).toBe(before);
    expect(result).toMatchObject({ model: name, loops: 4, ids: golden.input_ids });
    expect(Object.keys(result.exitLoop).sort()).toEqual(taus.toSorted());
    for (const [tau, { exit_step: steps }] of Object.entries(golden.thresholds))
      expect(result.exitLoop[tau]).toEqual(steps.map((row) => row.map((step) => step + 1)));
    const near = (value: number, expected: number, tolerance: number) =>
      expect(Math.abs(value - expected)).toBeLessThan(tolerance);
    golden.logits_per_step.forEach((step, k) => {
      step.forEach((row, b) => {
        expect(result.logprobs[b]).toHaveLength(row.length - 1);
        row.forEach((logits, s) => {
          const logProbs = logSoftmax(logits);
          near(result.gateLogits[b]![s]![k]!, golden.gate_logits[k]![b]![s]!, 3e-5);
          near(result.exitPdf[b]![s]![k]!, golden.exit_pdf[b]![s]![k]!, 5e-6);
          near(result.entropy[b]![s]![k]!, entropy(logProbs.map(Math.exp)), 2e-4);
          const next = golden.input_ids[b]![s + 1];
          if (next !== undefined) near(result.logprobs[b]![s]![k]!, logProbs[next]!, 2e-4);
          logits.forEach((logit, v) => {
            near(result.logits![b]![s]![k]![v]!, logit, 1e-4);
          });
          const order = [...logProbs.keys()].sort((x, y) => logProbs[y]! - logProbs[x]!);
          result.top[b]![s]![k]!.forEach(({ logprob }, i) => {
            near(logprob, logProbs[order[i]!]!, 2e-4);
          });
          expect(result.top[b]![s]![k]).toHaveLength(3);
        });
      });
    });
    model.dispose();
  });

  it('leaves the logits out unless asked, names tokens, and takes thresholds as they were written', () => {
    const { model } = tinyLoopLM(3);
    const result = lens(model, [[1, 2, 3]], { name: 'm', taus: ['0.50', 1], tokenText: (id) => `<${id}>` });
    expect('logits' in result).toBe(false);
    expect(Object.keys(result.exitLoop).sort()).toEqual(['0.50', '1']);
    for (const { id, token } of result.top.flat(3)) expect(token).toBe(`<${id}>`);
    expect(result.top[0]![0]![0]).toHaveLength(5);
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
  });

  it('refuses rows that are no ids, with one line that says where', () => {
    const { model } = tinyLoopLM(3);
    const options = { name: 'm', taus: [] };
    expect(() => lens(model, [], options)).toThrow(/at least one row/);
    expect(() => lens(model, [[1, 2], [3]], options)).toThrow(/row 2 has 1 ids and row 1 has 2/);
    expect(() =>
      lens(
        model,
        [
          [1, 2],
          [3, 11],
        ],
        options,
      ),
    ).toThrow(/row 2, place 2: 11/);
    expect(() => lens(model, [[1]], { ...options, taus: ['often'] })).toThrow(/'often' is not a number/);
    expect(() => lens(model, [[1]], { ...options, top: -1 })).toThrow(/top: -1/);
  });

  it('works on a single token, which has no next one', () => {
    const { model } = tinyLoopLM(3);
    expect(lens(model, [[4]], { name: 'm', taus: [0.5] }).logprobs).toEqual([[]]);
  });
});

describe('renderLens', () => {
  it('has a line per place and marks one exit in each', () => {
    const { model } = tinyLoopLM(3);
    const result = lens(model, [[1, 2, 3, 4]], { name: 'm', taus: ['0.5'] });
    const tokenText = (id: number) => [' a', 'b', '\n'][id % 3]!;
    const colored = renderLens(result, { color: true, tokenText });
    const plain = renderLens(result, { color: false, tokenText });
    expect(stripVTControlCharacters(colored)).toBe(plain);
    expect(colored).not.toBe(plain);
    const lines = plain.split('\n').slice(2, -1);
    expect(lines).toHaveLength(4);
    lines.forEach((line, s) => {
      expect(line.split('◂')).toHaveLength(2);
      const columns = line
        .slice(0, line.indexOf('◂'))
        .split(/ {2,}/)
        .filter((part) => part.trim() !== '');
      // Place, token, and one cell per loop up to the exit.
      expect(columns).toHaveLength(2 + result.exitLoop['0.5']![0]![s]!);
      for (const logprob of result.logprobs[0]![s] ?? []) expect(line).toContain(logprob.toFixed(2));
    });
  });
});
