/** What the thread that runs models is asked. Models are named by what `openModel` takes. */
import type { CharRange } from '../../data/documents/document.js';
import type { TopToken } from '../../eval/lens.js';

export type ModelAnswers = {
  /** A `TextSeen` as JSON, so that the server's thread need not make it: a long text's is several megabytes. */
  look: { input: LookQuestion; value: string };
  documents: { input: DocumentsQuestion; value: HeldOutText[] };
};

export interface LookQuestion {
  model: string;
  /** As the page calls it. */
  name: string;
  text: string;
  /** Likeliest next tokens of each place and loop. */
  top: number;
}

export interface DocumentsQuestion {
  /** Whose settings a generated task has, where it was trained on it. */
  model: string;
  /** `task:NAME`, or a file or folder of text. */
  data: string;
  /** The first document, from 0. */
  skip: number;
  count: number;
  seed: number;
}

export interface HeldOutText {
  text: string;
  /** Ranges of UTF-16 offsets that the loss is of, such as the answers of a generated task; null: all of it. */
  loss: readonly CharRange[] | null;
}

/** A text as a model sees it: what it said at each token, loop by loop, before it saw it. Loops count from 1. */
export interface TextSeen {
  model: string;
  loops: number;
  /** Which tokenizer cut the text; two models can be compared token by token where it is the same. */
  tokenizer: string;
  tokens: TokenSeen[];
}

export interface TokenSeen {
  id: number;
  /** Its part of the text; all of them joined are the text. */
  text: string;
  /** Null for the first token, which nothing came before. */
  loops: LoopSeen[] | null;
}

/** What a loop said of the token that came next. */
export interface LoopSeen {
  /** Of the token that came, nats. */
  logprob: number;
  /** Of the next token's distribution, nats. */
  entropy: number;
  /** Probability of the gate to leave here, given that it came so far. */
  gate: number;
  /** Probability to leave after this loop. */
  exit: number;
  /** Likeliest first. */
  top: TopToken[];
}
