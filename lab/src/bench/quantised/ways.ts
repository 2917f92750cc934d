/** In which numbers the matrices of a model are held, and how it comes to be so. */
import { loadModel } from 'looprpt/internal/checkpoint/load-model.js';
import { loadReadOnly } from 'looprpt/internal/checkpoint/load-read-only.js';
import { type ModelQuantisation, quantisationOf } from 'looprpt/internal/checkpoint/quantisation.js';
import type { Calibration } from 'looprpt/internal/checkpoint/quantise/input-moments.js';
import { quantiseModel } from 'looprpt/internal/checkpoint/quantise-model.js';
import type { LoopLM } from 'looprpt/internal/model/loop-lm.js';
import { fitter } from 'looprpt/internal/train/fit-quantised.js';

/** A model, and what ways may need beside it. */
export interface Opening {
  folder: string;
  /** A folder that is not there yet. */
  out: string;
  calibration: Calibration;
}

export interface Way {
  name: string;
  open(opening: Opening): LoopLM | Promise<LoopLM>;
}

/** What all others are held against. */
export const REFERENCE: Way = { name: 'float32', open: ({ folder }) => loadModel(folder, { dtype: 'float32' }) };

/** Of the text that is calibrated on. */
export const FIT_PASSES = 2;

export const WAYS: readonly Way[] = [
  { name: 'bfloat16', open: ({ folder }) => loadReadOnly(folder, { format: 'bfloat16' }) },
  rounded('int8', quantisationOf('int8')),
  rounded('int4', quantisationOf('int4')),
  rounded('int4, zero points', quantisationOf('int4', { zeros: true })),
  calibrated('int4, calibrated', quantisationOf('int4')),
  calibrated('int4, calibrated and fitted', quantisationOf('int4'), FIT_PASSES),
  calibrated('int4, qkv int8, calibrated and fitted', quantisationOf('int4', { int8: ['qkv'] }), FIT_PASSES),
];

function rounded(name: string, quantisation: ModelQuantisation): Way {
  return { name, open: ({ folder }) => loadReadOnly(folder, { quantisation }) };
}

function calibrated(name: string, quantisation: ModelQuantisation, passes = 0): Way {
  return {
    name,
    async open({ folder, out, calibration }) {
      await quantiseModel(folder, out, quantisation, { calibration, fit: { passes, run: fitter() } });
      return loadReadOnly(out);
    },
  };
}
