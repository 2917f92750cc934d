/**
 * How sure an opinion must be for a token to be started on it, by trial: for every number of sequences that share a pass, what a
 * token costs at each of a few bounds, no drafts at all among them. The cheapest is kept, and its neighbours get a try now and then.
 *
 * What a row costs beside what a pass costs decides, and that differs by model, machine and batch, in steps rather than in a line.
 * So it is not modelled: nothing is looked at but time and tokens.
 */

/** Least probability of being right, the boldest first; the last drafts nothing. */
const BOUNDS = [0.3, 0.55, 0.75, 0.9, Number.POSITIVE_INFINITY];
const FIRST = 1;
/** Of a try, at least: passes, and milliseconds up to so many passes. Those at its beginning still belong to the one before. */
const PASSES = 12;
const MILLISECONDS = 15;
const MOST_PASSES = 80;
const SETTLING = 4;
/** Tries of each bound before one is chosen; the first finds the code cold and is forgotten. */
const FIRST_TRIES = 2;
/** How much cheaper than none drafts must be. */
const GAIN = 0.95;
/** Of so many tries of the cheapest one goes to a neighbour. */
const AGAIN = 12;
/** How much a try counts. */
const NEWS = 0.25;

interface Tried {
  /** Time of a token. */
  cost: number;
  tries: number;
}

interface Batch {
  bounds: Tried[];
  current: number;
  tries: number;
}

export class Pace {
  readonly #batches = new Map<number, Batch>();
  #size = 0;
  #passes = 0;
  #time = 0;
  #tokens = 0;

  /** A pass begins. @param sequences that decode in it @returns the least probability that a draft is started at in it */
  begin(sequences: number): number {
    const size = sizeOf(sequences);
    if (size !== this.#size) this.#restart();
    this.#size = size;
    return BOUNDS[this.#batch.current]!;
  }

  /** What the pass that was begun took. @param time in milliseconds @param tokens that became certain in it */
  record(time: number, tokens: number): void {
    if (++this.#passes > SETTLING) {
      this.#time += time;
      this.#tokens += tokens;
    }
    const passes = this.#passes - SETTLING;
    if (this.#tokens === 0 || passes < PASSES || (this.#time < MILLISECONDS && passes < MOST_PASSES)) return;
    const batch = this.#batch;
    const tried = batch.bounds[batch.current]!;
    const cost = this.#time / this.#tokens;
    tried.cost += (tried.tries < FIRST_TRIES ? 1 : NEWS) * (cost - tried.cost);
    tried.tries++;
    batch.tries++;
    batch.current = nextOf(batch);
    this.#restart();
  }

  get #batch(): Batch {
    let batch = this.#batches.get(this.#size);
    if (!batch) {
      batch = { bounds: BOUNDS.map(() => ({ cost: 0, tries: 0 })), current: FIRST, tries: 0 };
      this.#batches.set(this.#size, batch);
    }
    return batch;
  }

  #restart(): void {
    this.#passes = 0;
    this.#time = 0;
    this.#tokens = 0;
  }
}

function nextOf({ bounds, tries }: Batch): number {
  const last = bounds.length - 1;
  const leastTried = (some: readonly number[]): number =>
    some.reduce((a, b) => (bounds[b]!.tries < bounds[a]!.tries ? b : a));
  // Without drafts first: what all others are to beat.
  if (bounds[last]!.tries === 0) return last;
  if (bounds.some((tried) => tried.tries < FIRST_TRIES)) return leastTried([...bounds.keys()]);
  const cheapest = bounds.reduce((least, { cost }, b) => (cost < bounds[least]!.cost ? b : least), 0);
  const best = bounds[cheapest]!.cost < GAIN * bounds[last]!.cost ? cheapest : last;
  if (tries % AGAIN !== 0) return best;
  return leastTried([best - 1, best + 1, last].filter((b) => b >= 0 && b <= last && b !== best));
}

/** Numbers of sequences that are alike. */
function sizeOf(sequences: number): number {
  if (sequences <= 4) return sequences;
  const step = 2 ** (Math.floor(Math.log2(sequences)) - 1);
  return Math.floor(sequences / step) * step;
}
