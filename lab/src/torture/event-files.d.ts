/** One step as the page shows it. */
export interface ShownStep {
  step: number;
  values: Record<string, number>;
}
export declare function shownSteps(runFolder: string): ShownStep[];
