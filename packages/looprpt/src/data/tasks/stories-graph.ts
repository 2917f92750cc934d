/**
 * The quantities behind a word problem: a graph whose nodes are "how many of an item a person has" and whose edges say
 * how one follows from others. It knows numbers and who has what, and nothing of English.
 *
 * Invariants: every quantity is a whole number in 2 … maxQuantity; no two nodes share person and item; bases come
 * before what is derived from them; the number of derived nodes that the target needs is exactly the number of steps
 * asked for.
 */
import type { Rng } from '../../base/rng.js';

/** How a quantity follows from others; `k` is a number that the text states. */
export type Relation =
  | { readonly kind: 'given' }
  | { readonly kind: 'groups'; readonly groups: number; readonly each: number }
  | { readonly kind: 'more' | 'fewer' | 'times' | 'fraction'; readonly base: Quantity; readonly k: number }
  | { readonly kind: 'sum'; readonly left: Quantity; readonly right: Quantity };

export interface Quantity {
  readonly relation: Relation;
  readonly value: number;
  /** Indices into the story's people and items; set by `place`. */
  person: number;
  item: number;
}

export interface GraphLimits {
  readonly people: number;
  readonly items: number;
  /** Largest number given in the text. */
  readonly maxGiven: number;
  /** Largest quantity that may arise. */
  readonly maxQuantity: number;
}

const nowhere = -1;

function quantity(relation: Relation, value: number): Quantity {
  return { relation, value, person: nowhere, item: nowhere };
}

/** What a quantity is derived from directly. */
export function basesOf({ relation }: Quantity): readonly Quantity[] {
  if (relation.kind === 'given' || relation.kind === 'groups') return [];
  return relation.kind === 'sum' ? [relation.left, relation.right] : [relation.base];
}

/** A quantity and all it depends on, bases first, each once. */
export function ancestry(target: Quantity): Quantity[] {
  const order = new Set<Quantity>();
  const visit = (node: Quantity) => {
    if (order.has(node)) return;
    for (const base of basesOf(node)) visit(base);
    order.add(node);
  };
  visit(target);
  return [...order];
}

/**
 * The arithmetic alone, without names, items or phrasing: problems that come to the same calculation are the same
 * problem when data are split.
 */
export function canonicalForm({ relation, value }: Quantity): string {
  const commutative = (sign: string, left: string, right: string) => `(${sign} ${[left, right].sort().join(' ')})`;
  switch (relation.kind) {
    case 'given':
      return String(value);
    case 'groups':
      return commutative('*', String(relation.groups), String(relation.each));
    case 'more':
      return commutative('+', canonicalForm(relation.base), String(relation.k));
    case 'fewer':
      return `(- ${canonicalForm(relation.base)} ${relation.k})`;
    case 'times':
      return commutative('*', canonicalForm(relation.base), String(relation.k));
    case 'fraction':
      return `(/ ${canonicalForm(relation.base)} ${relation.k})`;
    case 'sum':
      return commutative('+', canonicalForm(relation.left), canonicalForm(relation.right));
    default:
      return relation satisfies never;
  }
}

/** Derives a quantity from one other by a relation that keeps it within the limits. */
function deriveFrom(rng: Rng, base: Quantity, limits: GraphLimits): Quantity {
  const { value } = base;
  const divisors = [2, 3, 4].filter((k) => value % k === 0 && value / k >= 2);
  const factors = [2, 3, 4, 5].filter((k) => value * k <= limits.maxQuantity);
  const room = Math.min(limits.maxGiven, limits.maxQuantity - value);
  const stock = Math.min(limits.maxGiven, value - 2);
  const options: Array<() => Quantity> = [];
  if (room >= 2) {
    options.push(() => {
      const k = rng.between(2, room);
      return quantity({ kind: 'more', base, k }, value + k);
    });
  }
  if (stock >= 2) {
    options.push(() => {
      const k = rng.between(2, stock);
      return quantity({ kind: 'fewer', base, k }, value - k);
    });
  }
  if (factors.length > 0) {
    options.push(() => {
      const k = rng.pick(factors);
      return quantity({ kind: 'times', base, k }, value * k);
    });
  }
  if (divisors.length > 0) {
    options.push(() => {
      const k = rng.pick(divisors);
      return quantity({ kind: 'fraction', base, k }, value / k);
    });
  }
  return rng.pick(options)();
}

/** A quantity that takes exactly `steps` operations to find. */
export function growQuantity(rng: Rng, steps: number, limits: GraphLimits): Quantity {
  if (steps === 0) return quantity({ kind: 'given' }, rng.between(2, limits.maxGiven));
  if (steps === 1 && rng.chance(0.25)) {
    const [groups, each] = [rng.between(2, 9), rng.between(2, 12)];
    if (groups * each <= limits.maxQuantity) return quantity({ kind: 'groups', groups, each }, groups * each);
  }
  if (rng.chance(0.3)) {
    const sum = growSum(rng, steps, limits);
    if (sum.value <= limits.maxQuantity) return sum;
  }
  return deriveFrom(rng, growQuantity(rng, steps - 1, limits), limits);
}

/** A sum of two quantities: of two that have nothing in common, or of one and something that it depends on. */
export function growSum(rng: Rng, steps: number, limits: GraphLimits): Quantity {
  const shared = steps >= 2 && rng.chance(0.5);
  const leftSteps = shared ? steps - 1 : rng.below(steps);
  const left = growQuantity(rng, leftSteps, limits);
  const earlier = ancestry(left).slice(0, -1);
  const right = shared && earlier.length > 0 ? rng.pick(earlier) : growQuantity(rng, steps - 1 - leftSteps, limits);
  return quantity({ kind: 'sum', left, right }, left.value + right.value);
}

/** Who has what already, so that no two quantities mean the same thing. */
export class Seats {
  readonly #taken = new Set<string>();
  readonly #limits: GraphLimits;

  constructor(limits: GraphLimits) {
    this.#limits = limits;
  }

  /** Gives a free person and item to the node, with the item asked for if any; false when there is none left. */
  take(rng: Rng, node: Quantity, item?: number): boolean {
    if (node.person !== nowhere) return item === undefined || node.item === item;
    const free: Array<[number, number]> = [];
    for (let person = 0; person < this.#limits.people; person++) {
      for (let candidate = 0; candidate < this.#limits.items; candidate++) {
        if (item !== undefined && candidate !== item) continue;
        if (!this.#taken.has(`${person} ${candidate}`)) free.push([person, candidate]);
      }
    }
    if (free.length === 0) return false;
    [node.person, node.item] = rng.pick(free);
    this.#taken.add(`${node.person} ${node.item}`);
    return true;
  }

  /** Seats a node and its ancestors; the parts of a sum count the same item as the sum. False: no room, redraw. */
  place(rng: Rng, target: Quantity, item?: number): boolean {
    if (!this.take(rng, target, item)) return false;
    for (const node of ancestry(target).toReversed()) {
      const isSum = node.relation.kind === 'sum';
      for (const base of basesOf(node)) {
        const wanted = isSum || rng.chance(0.6) ? node.item : undefined;
        if (base.person !== nowhere && !isSum) continue;
        if (!this.take(rng, base, wanted) && (isSum || !this.take(rng, base))) return false;
      }
    }
    return true;
  }
}

/** Something else that the story tells: derived from a quantity of the story, or given. */
export function growDistractor(rng: Rng, story: readonly Quantity[], limits: GraphLimits): Quantity {
  return rng.chance(0.5) ? growQuantity(rng, 0, limits) : deriveFrom(rng, rng.pick(story), limits);
}
