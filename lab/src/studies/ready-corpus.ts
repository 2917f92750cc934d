/** What a corpus is made from and what it is when it is ready, whatever its kind. */
import type { TEXTS } from './study.js';
import type { UnitData, UnitHeldOut } from './unit.js';

export type TextName = (typeof TEXTS)[number];

/** Where the user has the data sets: a file or folder each. */
export type Inputs = Readonly<Partial<Record<TextName, string>>>;

/** `heldout` is reported; `tune` is what settings are chosen by. */
export type Judge = 'heldout' | 'tune';

export interface ReadyCorpus {
  /** The tokenizer's folder, relative to the folder of the work where it was trained for the study. */
  tokenizer: string;
  baseData(seed: number): UnitData;
  trainingData(seed: number): UnitData;
  heldOut(judge: Judge): UnitHeldOut;
  /** Of the base's own data, where that is apart from the arms' and what is forgotten of it is measured. */
  general?: UnitHeldOut;
}

export interface CorpusOptions {
  inputs: Inputs;
  /** The folder of a tokenizer that is there already; null: one is trained. */
  tokenizer: string | null;
}
