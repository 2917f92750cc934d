/**
 * How often a token that was read off early is the one of full depth: by the loop it was read off after, and by the margin by which
 * it beat the next one. Learned as texts are made; before that a guess.
 */

/** Upper ends of the margins that count as one kind, in units of logit / temperature. */
const MARGINS = [0.1, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 9, Number.POSITIVE_INFINITY];
/** Observations that the guess counts for. */
const GUESS_WEIGHT = 2;
/** Observations of a kind after which older ones count half. */
const MOST = 400;

interface Kind {
  right: number;
  seen: number;
}

/** A token read off after a loop, from 1. */
export interface Opinion {
  loop: number;
  id: number;
  margin: number;
}

export class Acceptance {
  readonly #kinds: Kind[][];

  /** @param loops of full depth */
  constructor(loops: number) {
    this.#kinds = Array.from({ length: loops }, () => MARGINS.map(() => ({ right: 0, seen: 0 })));
  }

  record({ loop, margin }: Opinion, isRight: boolean): void {
    const kind = this.#kinds[loop - 1]![kindOf(margin)];
    if (!kind) return;
    if (kind.seen >= MOST) {
      kind.right /= 2;
      kind.seen /= 2;
    }
    kind.seen++;
    if (isRight) kind.right++;
  }

  /** Estimated probability that it is right; 0 for a margin that is no number. */
  of({ loop, margin }: Pick<Opinion, 'loop' | 'margin'>): number {
    const kind = kindOf(margin);
    return kind < 0 ? 0 : this.#estimate(loop, kind);
  }

  /** Mean over the margins seen after this loop of what is expected at each; null where too few were seen. */
  mean(loop: number, value: (probability: number) => number): number | null {
    const kinds = this.#kinds[loop - 1]!;
    const seen = kinds.reduce((sum, kind) => sum + kind.seen, 0);
    if (seen < 16) return null;
    return kinds.reduce((sum, kind, k) => sum + (kind.seen / seen) * value(this.#estimate(loop, k)), 0);
  }

  #estimate(loop: number, kind: number): number {
    const { right, seen } = this.#kinds[loop - 1]![kind]!;
    const guess = 1 - 0.5 * Math.exp(-(MARGINS[kind - 1] ?? 0));
    return (right + GUESS_WEIGHT * guess) / (seen + GUESS_WEIGHT);
  }
}

/** −1 for NaN. */
function kindOf(margin: number): number {
  return MARGINS.findIndex((most) => margin <= most);
}
