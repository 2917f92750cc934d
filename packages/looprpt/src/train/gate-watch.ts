/**
 * Notices a collapsing gate: nearly all exit mass on one loop for many steps in a row, after which the other loops learn
 * nothing more about when they are needed.
 */
const MASS = 0.98;
const PATIENCE = 20;

export class GateWatch {
  #inRow = 0;
  #loop = -1;

  /** @param exitHistogram mean exit pdf by loop; @returns a warning when the collapse has just become lasting */
  observe(exitHistogram: readonly number[]): string | undefined {
    if (exitHistogram.length < 2) return undefined;
    const loop = exitHistogram.findIndex((share) => share > MASS);
    this.#inRow = loop >= 0 && loop === this.#loop ? this.#inRow + 1 : loop >= 0 ? 1 : 0;
    this.#loop = loop;
    if (this.#inRow !== PATIENCE) return undefined;
    const share = (100 * exitHistogram[loop]!).toFixed(1);
    return `the gate has collapsed: ${share} % of the exit mass is on loop ${loop + 1}, for ${PATIENCE} steps; a larger entropy weight or a smaller gateLearningRateScale keeps it open`;
  }

  /** For a checkpoint. */
  state(): [inRow: number, loop: number] {
    return [this.#inRow, this.#loop];
  }

  restore([inRow, loop]: [number, number]): void {
    this.#inRow = inRow;
    this.#loop = loop;
  }
}
