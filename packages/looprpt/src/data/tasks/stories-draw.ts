/**
 * Draws a word problem as quantities and a question, with as many calculations as asked for; tells nothing yet.
 */
import assert from 'node:assert/strict';
import type { Rng } from '../../base/rng.js';
import { UserError } from '../../base/user-error.js';
import {
  ancestry,
  canonicalForm,
  type GraphLimits,
  growDistractor,
  growQuantity,
  growSum,
  type Quantity,
  Seats,
} from './stories-graph.js';

export interface StoryLimits extends GraphLimits {
  /** At most this many quantities that the answer does not need. */
  readonly distractors: number;
}

/** What the question does with a quantity: asks for it, adds two, or calculates once more. */
export type Ending = 'value' | 'total' | 'worth' | 'share' | 'left';

/** A problem before it is told. `answer` is a node of its own that has no person unless `ending` is `value`. */
export interface Story {
  readonly answer: Quantity;
  readonly ending: Ending;
  readonly distractors: readonly Quantity[];
  readonly canonical: string;
}

const maxSeatings = 1000;

/** One more calculation on a quantity, as the question puts it. */
function endWith(rng: Rng, ending: 'worth' | 'share' | 'left', base: Quantity, limits: GraphLimits): Quantity | null {
  const { value } = base;
  const node = (kind: 'times' | 'fraction' | 'fewer', k: number, result: number): Quantity => ({
    relation: { kind, base, k },
    value: result,
    person: base.person,
    item: base.item,
  });
  switch (ending) {
    case 'worth': {
      const price = rng.between(2, 9);
      return node('times', price, value * price);
    }
    case 'share': {
      const divisors = [2, 3, 4, 5, 6, 7, 8, 9].filter((k) => value % k === 0 && value > k);
      if (divisors.length === 0) return null;
      const shares = rng.pick(divisors);
      return node('fraction', shares, value / shares);
    }
    case 'left': {
      const stock = Math.min(limits.maxGiven, value - 2);
      if (stock < 2) return null;
      const given = rng.between(2, stock);
      return node('fewer', given, value - given);
    }
    default:
      return ending satisfies never;
  }
}

/** One attempt; null when people and things do not suffice for the quantities, or the question's calculation does not fit. */
function tryStory(rng: Rng, steps: number, limits: StoryLimits): Story | null {
  const ending = rng.pick(['value', 'value', 'total', 'worth', 'share', 'left'] as const);
  const seats = new Seats(limits);
  let answer: Quantity | null;
  if (ending === 'total') {
    answer = growSum(rng, steps, limits);
    assert(answer.relation.kind === 'sum');
    const { left, right } = answer.relation;
    const item = rng.below(limits.items);
    if (!seats.take(rng, left, item) || !seats.take(rng, right, item)) return null;
    if (!seats.place(rng, left) || !seats.place(rng, right)) return null;
  } else {
    const target = growQuantity(rng, ending === 'value' ? steps : steps - 1, limits);
    if (!seats.place(rng, target)) return null;
    answer = ending === 'value' ? target : endWith(rng, ending, target, limits);
    if (answer === null) return null;
  }
  const told = ancestry(answer).filter((node) => node !== answer || ending === 'value');
  const distractors: Quantity[] = [];
  for (let count = rng.between(0, limits.distractors); count > 0; count--) {
    const distractor = growDistractor(rng, [...told, ...distractors], limits);
    if (seats.take(rng, distractor)) distractors.push(distractor);
  }
  return { answer, ending, distractors, canonical: `stories ${canonicalForm(answer)}` };
}

export function drawStory(rng: Rng, steps: number, limits: StoryLimits): Story {
  for (let attempt = 0; attempt < maxSeatings; attempt++) {
    const story = tryStory(rng, steps, limits);
    if (story) return story;
  }
  throw new UserError(`task 'stories': no room for ${steps} steps; raise people, items or maxQuantity`);
}
