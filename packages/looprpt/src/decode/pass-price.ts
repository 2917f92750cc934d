/**
 * What a pass costs by its rows, measured as passes run: time ≈ fixed + rows · perRow, fitted to the last hundred or so passes.
 * Where weights are what is read, the fixed part is nearly all of it; where arithmetic is the limit, the rows are.
 *
 * Only ratios are used. A pass that another program held up counts as at most twice the usual one.
 */

/** How much a pass weighs against the one after it. */
const MEMORY = 0.98;
/** Passes before the fit is believed. */
const FIRST = 8;
/** Until then, and as far as rows do not vary: a row's share of a pass of one. */
const USUAL_SHARE = 0.15;
/** Variance of rows that a usual slope counts for. */
const USUAL_WEIGHT = 0.05;

export class PassPrice {
  #passes = 0;
  #weight = 0;
  #rows = 0;
  #time = 0;
  #rowsRows = 0;
  #rowsTime = 0;

  record(rows: number, time: number): void {
    const usual = this.#time / this.#weight + this.perRow * (rows - this.#rows / this.#weight);
    const counted = this.#passes < FIRST ? time : Math.min(time, 2 * Math.max(usual, this.#time / this.#weight / 2));
    this.#passes++;
    this.#weight = MEMORY * this.#weight + 1;
    this.#rows = MEMORY * this.#rows + rows;
    this.#time = MEMORY * this.#time + counted;
    this.#rowsRows = MEMORY * this.#rowsRows + rows * rows;
    this.#rowsTime = MEMORY * this.#rowsTime + rows * counted;
  }

  /** What one more row adds to a pass; the usual share of 1 before anything was measured. */
  get perRow(): number {
    if (this.#passes < FIRST) return USUAL_SHARE;
    const [rows, time] = [this.#rows / this.#weight, this.#time / this.#weight];
    const variance = Math.max(0, this.#rowsRows / this.#weight - rows * rows);
    const covariance = this.#rowsTime / this.#weight - rows * time;
    const usual = (USUAL_SHARE * time) / (1 + USUAL_SHARE * (rows - 1));
    const slope = (covariance + USUAL_WEIGHT * usual) / (variance + USUAL_WEIGHT);
    return Math.min(Math.max(slope, 0), time / rows);
  }

  /** What a pass costs beside its rows. */
  get fixed(): number {
    if (this.#passes < FIRST) return 1 - USUAL_SHARE;
    return Math.max(0, (this.#time - this.perRow * this.#rows) / this.#weight);
  }
}
