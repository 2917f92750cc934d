/**
 * Accuracy against compute for every way to choose a token's exit loop: the gate, three rules that need no training, the
 * static loops, and the oracle.
 *
 * FLOPs are those that the rule's decisions need if later loops are not run: a rule that reads the next-token
 * distribution pays for the LM head after every loop, the others once.
 */

import { SIGNAL_RULES, type SignalRule } from '../model/exit-rule.js';
import type { FlopsPerToken } from '../model/flops.js';
import { oracleExits } from './oracle.js';
import type { CurveRule, RuleCurve } from './result.js';
import { type Exits, exitsAt, scoreAt } from './score.js';
import { evenThresholds, exitsBySignal } from './thresholds.js';
import type { Column, TokenTable } from './token-table.js';

/** The column that each rule looks at. */
const COLUMNS = {
  gate: 'exitCdf',
  'hidden-change': 'hiddenChange',
  confidence: 'confidence',
  entropy: 'entropy',
} as const satisfies Record<SignalRule, keyof TokenTable>;

/** Points of a curve by default: mean loops in steps of (K − 1)/32. */
export const GRID_POINTS = 33;

export interface Setting {
  setting: number;
  exits: Exits;
}

/** A rule's settings, ascending in mean loops, spread evenly over 1..K. */
export function thresholdSettings(table: TokenTable, rule: SignalRule, points = GRID_POINTS): Setting[] {
  const column: Column<Float32Array> = table[COLUMNS[rule]];
  const isAbove = SIGNAL_RULES[rule].stops === 'above';
  const signal = isAbove ? column : column.map((values) => values.map((value) => -value));
  return evenThresholds(signal, points).map((threshold) => ({
    // 0 minus it, so that 0 does not become −0, which JSON does not have.
    setting: isAbove ? threshold : 0 - threshold,
    exits: exitsBySignal(signal, threshold),
  }));
}

/** The curves of all rules over one table. */
export function ruleCurves(table: TokenTable, flops: FlopsPerToken, points = GRID_POINTS): RuleCurve[] {
  const { perLoop, head } = flops;
  const curve = (rule: CurveRule, settings: readonly Setting[], readsDistribution: boolean): RuleCurve => ({
    rule,
    points: settings.map(({ setting, exits }) => {
      const { accuracy, crossEntropy, meanLoops } = scoreAt(table, exits);
      const readouts = readsDistribution ? meanLoops : 1;
      return { setting, accuracy, crossEntropy, meanLoops, flopsPerToken: meanLoops * perLoop + readouts * head };
    }),
  });
  const loops = Array.from({ length: table.loops }, (_, k) => k + 1);
  const static_ = loops.map((loop) => ({ setting: loop, exits: exitsAt(table, loop) }));
  const rules = Object.keys(SIGNAL_RULES) as SignalRule[];
  const oracle = loops.map((loop) => ({ setting: loop, exits: oracleExits(table, loop) }));
  return [
    ...rules.map((rule) => curve(rule, thresholdSettings(table, rule, points), SIGNAL_RULES[rule].readsDistribution)),
    curve('static', static_, false),
    curve('oracle', oracle, false),
  ];
}
