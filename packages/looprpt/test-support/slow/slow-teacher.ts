/**
 * Steps 1 and 2 of LoopRPT: what the frozen teacher says about every position, and which positions are hard.
 * Loop numbers are 0-based indices here; only their differences enter any equation.
 */
import assert from 'node:assert/strict';
import { entropy, firstReaching } from './slow-exit.js';
import type { SlowConfig, SlowParams } from './slow-loop-lm.js';
import { forward, headLogits, logSoftmax } from './slow-loop-lm.js';
import type { Place, SlowBatch } from './slow-readout.js';
import { countedPlaces, exitPdfOf, statesAt, targetAt, targetLogProbs } from './slow-readout.js';

export interface TeacherSettings {
  /** τ: the reference step is the first loop whose exit cdf reaches it, the last if none does. */
  tau: number;
  /** ρ: share of the counted positions of each row that are hard, rounded up. */
  rho: number;
  /** Loop whose next-token distribution gives H_t. */
  entropySource: 'reference' | 'last';
}

export interface TeacherToken extends Place {
  target: number;
  /** H_t in nats */
  entropy: number;
  /** t_ref, 0-based */
  referenceStep: number;
  /** ℓ of the target at every loop */
  logProbs: number[];
  exitPdf: number[];
}

/** One record per counted position, rows in order, positions ascending. */
export function teacherTokens(
  config: SlowConfig,
  teacher: SlowParams,
  batch: SlowBatch,
  settings: Pick<TeacherSettings, 'tau' | 'entropySource'>,
): TeacherToken[] {
  const pass = forward(config, teacher, batch);
  return countedPlaces(batch).map((place) => {
    const states = statesAt(pass, place);
    const target = targetAt(batch, place);
    const pdf = exitPdfOf(teacher, states);
    const referenceStep = firstReaching(pdf, settings.tau);
    const entropyStep = settings.entropySource === 'last' ? config.loops - 1 : referenceStep;
    const distribution = logSoftmax(headLogits(config, teacher, states[entropyStep]!)).map(Math.exp);
    return {
      ...place,
      target,
      entropy: entropy(distribution),
      referenceStep,
      logProbs: targetLogProbs(config, teacher, states, target),
      exitPdf: pdf,
    };
  });
}

/** In every row the ceil(ρ·n) of its n counted positions with the highest H_t; ties go to the lower position. */
export function hardTokens(tokens: readonly TeacherToken[], rho: number): TeacherToken[] {
  const rows = [...new Set(tokens.map((token) => token.row))];
  const hard = rows.flatMap((row) => {
    const ofRow = tokens.filter((token) => token.row === row);
    const byEntropy = [...ofRow].sort((a, b) => b.entropy - a.entropy || a.position - b.position);
    const chosen = byEntropy.slice(0, Math.ceil(rho * ofRow.length));
    return chosen.sort((a, b) => a.position - b.position);
  });
  assert(hard.length > 0, 'no position counts');
  return hard;
}
