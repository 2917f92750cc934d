/** What differs, a sentence each; nothing if the ends are the same. */
export declare function differences(expected: string, actual: string): string[];
/** Temporary files and locks that a run has left behind at its end. */
export declare function leftBehind(runFolder: string): string[];
/** The records without what depends on the clock and on the process. */
export declare function measuredSteps(runFolder: string): {
  step: number;
  tokens: number;
  learningRate: number;
  loss: number;
  parts: Record<string, number>;
  gradientNorm: number;
  exitHistogram: number[];
  exitEntropy: number;
  meanLoops: number;
  rewardByLoop?: number[] | undefined;
  advantageSpread?: number | undefined;
  noSpreadShare?: number | undefined;
  klTeacher?: number | undefined;
  skipped?: boolean | undefined;
  warnings?: string[] | undefined;
}[];
