/**
 * Accuracy against compute for every way to choose a token's exit loop: the gate, three rules that need no training, the
 * static loops, and the oracle.
 *
 * FLOPs are those that the rule's decisions need if later loops are not run: a rule that reads the next-token
 * distribution pays for the LM head after every loop, the others once.
 */

import type { FlopsPerToken } from '../model/flops.js';
import { evenThresholds, exitsByEvidence } from './evidence.js';
import { oracleExits } from './oracle.js';
import type { ExitRule, RuleCurve } from './result.js';
import { type Exits, exitsAt, scoreAt } from './score.js';
import type { Column, TokenTable } from './token-table.js';

/** Stops at the first loop at which a number per token and loop is small, or large, enough (inclusive). */
interface ThresholdRule {
  rule: ExitRule;
  signal: 'exitCdf' | 'hiddenChange' | 'confidence' | 'entropy';
  /** `above`: stops when the signal is ≥ the setting; `below`: ≤. */
  stops: 'above' | 'below';
  readsDistribution: boolean;
}

export const GATE: ThresholdRule = { rule: 'gate', signal: 'exitCdf', stops: 'above', readsDistribution: false };

const THRESHOLD_RULES: readonly ThresholdRule[] = [
  GATE,
  { rule: 'hidden-change', signal: 'hiddenChange', stops: 'below', readsDistribution: false },
  { rule: 'confidence', signal: 'confidence', stops: 'above', readsDistribution: true },
  { rule: 'entropy', signal: 'entropy', stops: 'below', readsDistribution: true },
];

/** Points of a curve by default: mean loops in steps of (K − 1)/32. */
export const GRID_POINTS = 33;

export interface Setting {
  setting: number;
  exits: Exits;
}

/** A threshold rule's settings, ascending in mean loops, spread evenly over 1..K. */
export function thresholdSettings(table: TokenTable, rule: ThresholdRule, points = GRID_POINTS): Setting[] {
  const signal = table[rule.signal];
  const evidence: Column<Float32Array> =
    rule.stops === 'above' ? signal : signal.map((column) => column.map((value) => -value));
  return evenThresholds(evidence, points).map((threshold) => ({
    // 0 minus it, so that 0 does not become −0, which JSON does not have.
    setting: rule.stops === 'above' ? threshold : 0 - threshold,
    exits: exitsByEvidence(evidence, threshold),
  }));
}

/** The curves of all rules over one table. */
export function ruleCurves(table: TokenTable, flops: FlopsPerToken, points = GRID_POINTS): RuleCurve[] {
  const { perLoop, head } = flops;
  const curve = (rule: ExitRule, settings: readonly Setting[], readsDistribution: boolean): RuleCurve => ({
    rule,
    points: settings.map(({ setting, exits }) => {
      const { accuracy, crossEntropy, meanLoops } = scoreAt(table, exits);
      const readouts = readsDistribution ? meanLoops : 1;
      return { setting, accuracy, crossEntropy, meanLoops, flopsPerToken: meanLoops * perLoop + readouts * head };
    }),
  });
  const loops = Array.from({ length: table.loops }, (_, k) => k + 1);
  const static_ = loops.map((loop) => ({ setting: loop, exits: exitsAt(table, loop) }));
  const oracle = loops.map((loop) => ({ setting: loop, exits: oracleExits(table, loop) }));
  return [
    ...THRESHOLD_RULES.map((rule) => curve(rule.rule, thresholdSettings(table, rule, points), rule.readsDistribution)),
    curve('static', static_, false),
    curve('oracle', oracle, false),
  ];
}
