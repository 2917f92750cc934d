/** A model folder for tests of the server: random weights, a real tokenizer that splits characters, a chat template. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { writeCheckpoint } from '../checkpoint-folder.js';
import type { SlowConfig } from '../slow/slow-loop-lm.js';
import { tinyModel } from '../slow/tiny-model.js';
import { tinyTokenizer } from '../tiny-tokenizer.js';

/** The ids of the tiny tokenizer: single bytes but for a few merges, so that characters beyond ASCII take several tokens. */
const VOCABULARY = 290;

/** Writes it into a new folder under `parent`. @returns the folder */
export async function tinyModelFolder(parent: string, overrides: Partial<SlowConfig> = {}): Promise<string> {
  const folder = join(parent, 'tiny-model');
  writeCheckpoint(folder, tinyModel(7, { vocabSize: VOCABULARY, ...overrides }));
  cpSync((await tinyTokenizer(VOCABULARY)).dir, folder, { recursive: true });
  return folder;
}
