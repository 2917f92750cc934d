/** What a step works on, as every part of the plan counts it. Letters: N places, n counted places, m hard places. */

/** Weights of the model, and those among them that are trained. */
export interface Parameters {
  total: number;
  trained: number;
}

/** The places of a micro-batch by what is done with them. */
export interface Work {
  /** N */
  places: number;
  /** n */
  counted: number;
  /** m; n where the objective does not select. */
  hard: number;
  /** `recorded`: with a gradient that reaches the stack; `readAtEveryLoop`: the divergence from the teacher reads them. */
  rollouts: { passes: number; places: number; recorded: boolean; readAtEveryLoop: boolean } | null;
}
