/**
 * How sure an opinion must be for a token to be started on it, by trial: for every number of sequences that share a pass, what a
 * token takes at each of a few bounds and without drafts. The quickest is kept; the others get a try now and then.
 *
 * What a row costs beside what a pass costs decides, and that differs by model, machine and batch, in steps rather than in a line.
 * So it is not modelled: nothing is looked at but time and tokens. What tries have lost against no drafts stays below a share of all
 * time, and the slower a bound seems, the more seldom it is tried.
 */

/** Least probability of being right, the boldest first; the last drafts nothing. */
const BOUNDS = [0.3, 0.55, 0.75, 0.9, Number.POSITIVE_INFINITY];
const NONE = BOUNDS.length - 1;
/** In this order at first. */
const ORDER = [NONE, 0, 1, 2, 3];
/** Of a try, at least: passes, and milliseconds up to so many passes. Those at its beginning still belong to the one before, drafts that end and texts that fall into step. */
const PASSES = 16;
const MILLISECONDS = 20;
const MOST_PASSES = 128;
const SETTLING = 8;
/** Tries of each bound before one is chosen; the first finds the code cold and is forgotten. */
const FIRST_TRIES = 2;
/** Tries of a bound after which what it costs is believed; before, it has to be less by a margin that fades. */
const ENOUGH = 16;
/** What drafts may cost beside none. */
const MOST_COST = 0.95;
const mostCost = (tries: number): number => MOST_COST - 0.2 * Math.max(0, 1 - tries / ENOUGH);
/** Shares of the time that may be lost by trying what seems dear: another bound, and none where drafts pay. */
const LOSS_BY = { other: 0.0015, none: 0.01 };
/** Tries after which another bound is tried again at the earliest; of one that seems level with the best. */
const AGAIN = 5;
const MOST_AGAIN = 200;
/** Milliseconds: where tries are shorter the code warms up as they are made. */
const BRIEF = 100;
/** It is warm once so many tries without drafts have in turn cost no less than this share of the one before, or after the most. */
const WARM = { share: 0.93, tries: 2, most: 10 };
/** The last tries of a bound that are remembered. */
const KEPT = 20;
/** What counts of them: others who use the machine make tries longer, never shorter, so the lower ones say more than the middle. */
const QUANTILE = 0.25;
/** What tries may lose: a share of all time, and milliseconds before there has been much of it. */
const LOSS = 0.005;
const ALLOWANCE = 100;

interface Tried {
  /** Milliseconds of a token, by the last tries. */
  cost: number;
  costs: number[];
  tries: number;
  /** The number of the last try. */
  last: number;
  /** Milliseconds of all of them. */
  time: number;
}

interface Batch {
  bounds: Tried[];
  current: number;
  tries: number;
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
    if (current === NONE) batch.steady = cost < WARM.share * none ? 0 : batch.steady + 1;
    const tried = bounds[current]!;
    learn(tried, cost, ++batch.tries);
    tried.time += this.#time;
    batch.isBrief = this.#time < BRIEF;
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
  const bounds = BOUNDS.map(() => ({ cost: 0, costs: [], tries: 0, last: 0, time: 0 }));
  return { bounds, current: NONE, tries: 0, isBrief: true, steady: 0 };
}

function learn(tried: Tried, cost: number, now: number): void {
  // The first one found the code cold.
  if (tried.tries === 1) tried.costs.length = 0;
  tried.costs.push(cost);
  if (tried.costs.length > KEPT) tried.costs.shift();
  tried.cost = quantileOf(tried.costs);
  tried.tries++;
  tried.last = now;
}

function quantileOf(costs: readonly number[]): number {
  const sorted = costs.toSorted((a, b) => a - b);
  const at = QUANTILE * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!];
  return below + (at % 1) * (above - below);
}

/** Whether another try may lose: by what is known now of each bound, since one try says little. */
function mayTry(bounds: readonly Tried[]): boolean {
  const none = bounds[NONE]!.cost;
  const sum = (of: (tried: Tried) => number): number => bounds.reduce((total, tried) => total + of(tried), 0);
  // The first try is cold, whatever it tries.
  const lost = sum(({ cost, tries, time }) => (tries > 1 ? time * (1 - none / cost) : 0));
  return lost <= ALLOWANCE + LOSS * sum(({ time }) => time);
}

function nextOf({ bounds, tries, isBrief, steady }: Batch): number {
  const none = bounds[NONE]!;
  const costOf = (b: number): number => bounds[b]!.cost / none.cost;
  const mayLose = mayTry(bounds);
  const isKnown = (b: number): boolean => bounds[b]!.tries >= FIRST_TRIES;
  // Without drafts first: what all others are to beat.
  const untried = ORDER.find((b) => !isKnown(b));
  const isWarm = steady >= WARM.tries || none.tries >= WARM.most;
  // What it is compared with comes right before.
  const isFresh = !isBrief || (isWarm && none.last === tries);
  if (untried !== undefined && (untried === NONE || mayLose)) return isFresh ? untried : NONE;
  const drafting = ORDER.filter((b) => b !== NONE && isKnown(b));
  if (drafting.length === 0) return NONE;
  const cheapest = drafting.reduce((a, b) => (costOf(b) < costOf(a) ? b : a));
  const best = costOf(cheapest) < mostCost(bounds[cheapest]!.tries) ? cheapest : NONE;
  // Tries until one that costs so much more than the best has lost no more than its share.
  const pause = (b: number, share: number): number =>
    Math.min(Math.max(AGAIN, (1 - costOf(best) / costOf(b)) / share), MOST_AGAIN);
  const isDue = (b: number, after: number): boolean => tries - bounds[b]!.last >= after;
  if (best !== NONE && isDue(NONE, pause(NONE, LOSS_BY.none))) return NONE;
  const others = drafting.filter((b) => b !== best && isDue(b, pause(b, LOSS_BY.other)));
  if (others.length === 0 || !mayLose) return best;
  const other = others.reduce((a, b) => (costOf(b) < costOf(a) ? b : a));
  return best === NONE && !isFresh ? NONE : other;
}

/** Numbers of sequences that are alike. */
function sizeOf(sequences: number): number {
  if (sequences <= 4) return sequences;
  const step = 2 ** (Math.floor(Math.log2(sequences)) - 1);
  return Math.floor(sequences / step) * step;
}
