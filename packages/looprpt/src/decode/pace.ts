/**
 * How sure an opinion must be for a token to be started on it, by trial: for every number of sequences that share a pass, what a
 * token costs at each of a few bounds, as a multiple of what it costs without drafts. The cheapest is kept; no drafts and its
 * neighbours get a try now and then.
 *
 * What a row costs beside what a pass costs decides, and that differs by model, machine and batch, in steps rather than in a line.
 * So it is not modelled: nothing is looked at but time and tokens. What tries have lost against no drafts stays below a share of all
 * time: where drafts do not pay, they are tried ever more seldom.
 */

/** Least probability of being right, the boldest first; the last drafts nothing. */
const BOUNDS = [0.3, 0.55, 0.75, 0.9, Number.POSITIVE_INFINITY];
const NONE = BOUNDS.length - 1;
/** Tried only where the next bold one pays. */
const BOLDEST = 0;
/** In this order at first. */
const ORDER = [NONE, 1, 2, 0, 3];
/** Of a try, at least: passes, and milliseconds up to so many passes. Those at its beginning still belong to the one before, drafts that end and texts that fall into step. */
const PASSES = 16;
const MILLISECONDS = 20;
const MOST_PASSES = 128;
const SETTLING = 8;
/** Tries of each bound before one is chosen; the first finds the code cold and is forgotten. */
const FIRST_TRIES = 2;
/** What drafts may cost beside none: less, and still less as long as few tries say so. */
const MOST_COST = 0.95;
const mostCost = ({ tries }: Tried): number => MOST_COST - 0.15 / Math.sqrt(tries);
/** Tries after which another bound is tried again: more, where several tries said that it costs more than none. */
const AGAIN = 12;
const MOST_AGAIN = 8 * AGAIN;
const again = ({ cost, tries }: Tried): number => (cost < 1 ? AGAIN : Math.min(AGAIN * tries, MOST_AGAIN));
/** Tries of a bound that say enough. */
const ENOUGH = 5;
/** Tries after which none are tried again, the processor being warmer or the texts longer than before: soon where it is near, or known from few. */
const CHECK = { near: 6, far: 24, isFar: 0.8 };
/** Milliseconds: where tries are shorter the code warms up as they are made. */
const BRIEF = 100;
/** It is warm once so many tries without drafts have in turn cost no less than this share of the one before, or after the most. */
const WARM = { share: 0.93, tries: 2, most: 10 };
/** The last tries of a bound that are remembered. A machine that others use stalls now and then, so their median counts. */
const KEPT = 7;
/** What tries may lose: a share of all time, and milliseconds before there has been much of it. */
const LOSS = 0.01;
const ALLOWANCE = 100;

interface Tried {
  /** Time of a token; with drafts as a multiple of what it was without. The median of the last tries. */
  cost: number;
  costs: number[];
  tries: number;
  /** The number of the last try. */
  last: number;
}

interface Batch {
  bounds: Tried[];
  current: number;
  tries: number;
  /** Milliseconds of all tries, and of those that were lost against no drafts, at least 0. */
  time: number;
  lost: number;
  /** The last try took little time. */
  isBrief: boolean;
  /** Tries without drafts since one was much quicker than that before. */
  steady: number;
}

export class Pace {
  readonly #clock: () => number;
  readonly #batches = new Map<number, Batch>();
  #size = 0;
  #batch = newBatch();
  #passes = 0;
  #time = 0;
  #tokens = 0;
  /** When the passes that are being counted began; null while none are. */
  #since: number | null = null;
  /** Passes after which the clock is looked at. */
  #look = PASSES;

  /** @param clock milliseconds; it is looked at a few times a try, because to look costs as much as a small model's layer */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** A pass begins. @param sequences that decode in it @returns the least probability that a draft is started at in it */
  begin(sequences: number): number {
    const size = sizeOf(sequences);
    if (size !== this.#size) {
      this.#restart();
      this.#size = size;
      this.#batch = this.#batches.get(size) ?? newBatch();
      this.#batches.set(size, this.#batch);
    }
    this.#since ??= this.#clock();
    return BOUNDS[this.#batch.current]!;
  }

  /** The pass that was begun has ended. @param tokens that became certain in it */
  end(tokens: number): void {
    this.#passes++;
    if (this.#passes === SETTLING) {
      this.#since = this.#clock();
      this.#time = 0;
    }
    if (this.#passes <= SETTLING) return;
    this.#tokens += tokens;
    const passes = this.#passes - SETTLING;
    if (passes < this.#look) return;
    this.#stop();
    if (this.#tokens === 0 || (this.#time < MILLISECONDS && passes < MOST_PASSES)) {
      const needed = Math.ceil((1.1 * passes * MILLISECONDS) / Math.max(this.#time, 1));
      this.#look = Math.max(passes + PASSES, Math.min(needed, MOST_PASSES));
      return;
    }
    this.#learn();
    this.#restart();
  }

  /** What comes is not to be counted: a pass that reads prompts, or nothing to do. */
  pause(): void {
    if (this.#since !== null) this.#stop();
  }

  #stop(): void {
    if (this.#since !== null) this.#time += this.#clock() - this.#since;
    this.#since = null;
  }

  #learn(): void {
    const batch = this.#batch;
    const { bounds, current } = batch;
    const none = bounds[NONE]!.cost;
    const cost = this.#time / this.#tokens;
    if (current === NONE) {
      batch.steady = cost < WARM.share * none ? 0 : batch.steady + 1;
      learn(bounds[NONE]!, cost, ++batch.tries);
    } else learn(bounds[current]!, cost / none, ++batch.tries);
    batch.time += this.#time;
    batch.isBrief = this.#time < BRIEF;
    const tried = bounds[current]!;
    // By what is known of the bound: one try says little. The first is cold, whatever it tries.
    if (current !== NONE && tried.tries > 1) batch.lost = Math.max(0, batch.lost + this.#time * (1 - 1 / tried.cost));
    batch.current = nextOf(batch);
  }

  #restart(): void {
    this.#passes = 0;
    this.#time = 0;
    this.#tokens = 0;
    this.#since = null;
    this.#look = PASSES;
  }
}

function newBatch(): Batch {
  const bounds = BOUNDS.map(() => ({ cost: 0, costs: [], tries: 0, last: 0 }));
  return { bounds, current: NONE, tries: 0, time: 0, lost: 0, isBrief: true, steady: 0 };
}

function learn(tried: Tried, cost: number, now: number): void {
  // The first one found the code cold.
  if (tried.tries === 1) tried.costs.length = 0;
  tried.costs.push(cost);
  if (tried.costs.length > KEPT) tried.costs.shift();
  tried.cost = tried.costs.toSorted((a, b) => a - b)[(tried.costs.length - 1) >> 1]!;
  tried.tries++;
  tried.last = now;
}

function nextOf({ bounds, tries, time, lost, isBrief, steady }: Batch): number {
  const at = (b: number): Tried => bounds[b]!;
  const mayLose = lost <= ALLOWANCE + LOSS * time;
  const isKnown = (b: number): boolean => at(b).tries >= FIRST_TRIES;
  // Without drafts first: what all others are to beat.
  const untried = ORDER.find((b) => !isKnown(b) && (b !== BOLDEST || at(BOLDEST + 1).cost < 1));
  const isWarm = steady >= WARM.tries || at(NONE).tries >= WARM.most;
  // What it is compared with comes right before.
  const isFresh = !isBrief || (isWarm && at(NONE).last === tries);
  if (untried !== undefined && (untried === NONE || mayLose)) return isFresh ? untried : NONE;
  const drafting = ORDER.filter((b) => b !== NONE && isKnown(b));
  if (drafting.length === 0) return NONE;
  const cheapest = drafting.reduce((a, b) => (at(b).cost < at(a).cost ? b : a));
  const { cost } = at(cheapest);
  const best = cost < mostCost(at(cheapest)) ? cheapest : NONE;
  // It may pay, by few tries: one more.
  if (best === NONE && cost < MOST_COST && mayLose) return isFresh ? cheapest : NONE;
  const isDue = (b: number, after: number): boolean => tries - at(b).last >= after;
  const check = Math.min(at(cheapest).tries, cost < CHECK.isFar ? CHECK.far : CHECK.near);
  if (best !== NONE && isDue(NONE, check)) return NONE;
  // Where nothing seems to pay by few tries, a stall may have hidden what does.
  const doubtful = best === NONE ? drafting.filter((b) => at(b).tries < ENOUGH) : [];
  const others = [...doubtful, best - 1, best + 1];
  const other = others.find((b) => b >= 0 && b < NONE && isKnown(b) && isDue(b, again(at(b))));
  return other !== undefined && mayLose ? other : best;
}

/** Numbers of sequences that are alike. */
function sizeOf(sequences: number): number {
  if (sequences <= 4) return sequences;
  const step = 2 ** (Math.floor(Math.log2(sequences)) - 1);
  return Math.floor(sequences / step) * step;
}
