import { readFileSync } from 'node:fs';
import { op, scope, type Tensor, tensor } from '@looprpt/engine';
import { exitCdf, exitPdf } from 'looprpt/internal/model/exit.js';
import { describe, expect, test } from 'vitest';
import { goldenFolder } from './slow/golden.js';
import { chooseExit, chosenStep, expectedLogits } from './upstream-exit.js';

interface ExitTable {
  K: number;
  dtype: 'float32' | 'bfloat16';
  /** [row][k] */
  gates: number[][];
  exit_pdf: number[][];
  exit_cdf: number[][];
  /** threshold → step of each row, from 0 */
  exit_step: Record<string, number[]>;
  /** Entries that hang on the last bit; a sentence where that is the whole table. */
  fragile_row_threshold_pairs: [number, string][] | string;
}

interface ExitGolden {
  tables: ExitTable[];
  argument_precedence_gates: number[];
  argument_precedence: {
    args: { exit_at_step?: number; exit_threshold?: number; use_weighted_exit?: boolean; labels?: string };
    config_early_exit_threshold: number | null;
    result: number | 'expected';
    logits: number[];
  }[];
}

const golden = JSON.parse(readFileSync(`${goldenFolder('edge')}exit_rule.json`, 'utf8')) as ExitGolden;

function gatesOf(table: ExitTable): Tensor {
  return tensor(table.gates, { dtype: table.dtype }).transpose(0, 1).contiguous();
}

describe.each(golden.tables)('table of $K loops in $dtype', (table) => {
  const { pdf, cdf } = scope(() => {
    const pdfK = exitPdf(gatesOf(table));
    const rows = (valuesK: Tensor): number[][] => valuesK.transpose(0, 1).toArray();
    return { pdf: rows(pdfK), cdf: rows(exitCdf(pdfK)) };
  });
  // One unit in the last place of a number near 1.
  const lastBit = table.dtype === 'float32' ? 1.2e-7 : 2 ** -7;

  test('pdf and cdf', () => {
    table.gates.forEach((_, row) => {
      for (let k = 0; k < table.K; k++) {
        expect(Math.abs(pdf[row]![k]! - table.exit_pdf[row]![k]!), `pdf of row ${row}, loop ${k}`).toBeLessThanOrEqual(
          lastBit,
        );
        expect(Math.abs(cdf[row]![k]! - table.exit_cdf[row]![k]!), `cdf of row ${row}, loop ${k}`).toBeLessThanOrEqual(
          lastBit,
        );
      }
    });
  });

  test('step at each threshold', () => {
    const fragile = table.fragile_row_threshold_pairs;
    // The bfloat16 table is called fragile as a whole, because its rounding is that of the CPU's operators. Ours are those.
    const skipped = new Set(
      typeof fragile === 'string' ? [] : fragile.map(([row, threshold]) => `${row} ${threshold}`),
    );
    for (const [threshold, expected] of Object.entries(table.exit_step)) {
      const steps = scope(() => {
        return chosenStep({ rule: 'threshold', threshold: Number(threshold) }, gatesOf(table)).toArray<number[]>();
      });
      const rows = expected.flatMap((_, row) => (skipped.has(`${row} ${threshold}`) ? [] : [row]));
      expect(
        rows.map((row) => steps[row]),
        `threshold ${threshold}`,
      ).toEqual(rows.map((row) => expected[row]));
    }
  });
});

test.each(golden.argument_precedence)('$args with a default threshold of $config_early_exit_threshold', (entry) => {
  const { args, result } = entry;
  const gatesK = tensor(golden.argument_precedence_gates);
  const loops = gatesK.size(0);
  const choice = chooseExit(
    {
      labels: args.labels !== undefined,
      exitAtStep: args.exit_at_step ?? null,
      exitThreshold: args.exit_threshold ?? null,
      weighted: args.use_weighted_exit ?? false,
    },
    { loops, exitLoop: null, exitThreshold: entry.config_early_exit_threshold },
  );
  // Loop k's logits are 1 at k and 0 elsewhere.
  const logitsKV = op('aten::eye')(loops);
  if (choice.rule === 'expected') {
    expect(result).toBe('expected');
    const logits = expectedLogits(exitPdf(gatesK), logitsKV).toArray<number[]>();
    for (const [k, value] of entry.logits.entries()) expect(logits[k]).toBeCloseTo(value, 6);
  } else {
    const step = chosenStep(choice, gatesK).item();
    expect(step).toBe(result);
    expect(logitsKV.select(0, step).toArray()).toEqual(entry.logits);
  }
});

test("a configuration's fixed loop is the default of exitAtStep, and a value given beside it hides it", () => {
  const config = { loops: 4, exitLoop: 2, exitThreshold: 0.5 };
  expect(chooseExit({}, config)).toEqual({ rule: 'loop', step: 1 });
  expect(chooseExit({ exitAtStep: 3 }, config)).toEqual({ rule: 'loop', step: 3 });
  expect(chooseExit({ exitAtStep: 4 }, config)).toEqual({ rule: 'threshold', threshold: 0.5 });
});

test('a gate that is not a number is no exit, and hides the exits after it', () => {
  const nan = Number.NaN;
  const gatesKT = tensor([
    [nan, 3, 3],
    [3, nan, -9],
    [3, 3, nan],
    [3, 3, 3],
  ]);
  expect(chosenStep({ rule: 'threshold', threshold: 0.9 }, gatesKT).toArray()).toEqual([3, 0, 0]);
});
