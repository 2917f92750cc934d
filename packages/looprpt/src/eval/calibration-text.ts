/**
 * Text by which quantised weights make up for their errors (checkpoint/quantise), from the data that `eval` takes too. Of a generated
 * task it is the tuning documents, so that held-out ones stay unseen.
 */
import { scope, tensor } from '@looprpt/engine';
import { UserError } from '../base/user-error.js';
import type { Calibration } from '../checkpoint/quantise/input-moments.js';
import type { PackedBatch } from '../data/loader/batch.js';
import { trainingBatch } from '../objectives/batch.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { type HeldOut, heldOutBatches, heldOutName } from './data.js';
import { withTaskSettings } from './judged-task.js';

export interface CalibrationText {
  calibration: Calibration;
  /** How many there are: as many as were asked for, or all that the data have. */
  tokens: number;
}

export interface CalibrationTextOptions {
  /** The first so many tokens of the data, prompts included. */
  tokens: number;
  /** Sentences for the user. */
  onMessage?: (line: string) => void;
  /** Told how many tokens of a pass are done. */
  onProgress?: (tokens: number) => void;
}

/**
 * @param model the folder of the model that is quantised
 * @throws UserError where the data cannot be read, or none of their tokens counts in the loss
 */
export async function calibrationText(
  data: HeldOut,
  model: string,
  tokenizer: Tokenizer,
  { tokens, onMessage = () => {}, onProgress }: CalibrationTextOptions,
): Promise<CalibrationText> {
  const asked = typeof data === 'object' && 'task' in data ? { ...data, split: 'tune' as const } : data;
  const { known } = await withTaskSettings(asked, model, onMessage);
  // As many that count are as many at least with those that do not.
  const { batches, leftOut } = await heldOutBatches(known, tokenizer, { ...CALIBRATION_BATCH, maxTokens: tokens });
  for (const line of leftOut) onMessage(line);
  const kept: Kept[] = [];
  let found = 0;
  for await (const batch of batches()) {
    kept.push(placesOf(batch, tokens - found));
    found += kept.at(-1)!.tokens.length;
    if (found >= tokens) break;
  }
  if (kept.every(({ counted }) => counted.length === 0))
    throw new UserError(
      `${heldOutName(data)}: no token counts in the loss, so nothing says what the head's inputs are like`,
    );
  return { calibration: calibrationOf(kept, onProgress), tokens: found };
}

/** Small, for what is held for gradients where norms are fitted. */
export const CALIBRATION_BATCH = { rows: 1, sequenceLength: 1024 };

interface Kept {
  batch: PackedBatch;
  /** Row · S + place, ascending. */
  tokens: number[];
  counted: number[];
}

function placesOf(batch: PackedBatch, most: number): Kept {
  const tokens = Array.from(batch.segmentIds.keys())
    .filter((at) => batch.segmentIds[at]! >= 0)
    .slice(0, most);
  return { batch, tokens, counted: tokens.filter((at) => batch.lossMask[at] === 1) };
}

function calibrationOf(kept: readonly Kept[], onProgress: (tokens: number) => void = () => {}): Calibration {
  return async (use) => {
    let done = 0;
    for (const { batch, tokens, counted } of kept) {
      const places = (list: number[]) => tensor(list, { shape: [list.length], dtype: 'int64' });
      scope(() => use({ ...trainingBatch(batch, 'cpu'), tokensN: places(tokens), countedN: places(counted) }));
      done += tokens.length;
      onProgress(done);
      // Between batches the process can hear that it is to end.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
}
