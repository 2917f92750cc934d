/**
 * Tells a story: chooses phrases for its quantities, orders and joins the sentences, and writes out the solution.
 * Holds the choices of one document (its setting, names, and whether small numbers are words); decides no number.
 */
import assert from 'node:assert/strict';
import type { Rng } from '../../base/rng.js';
import type { Story } from './stories-draw.js';
import { ancestry, type Quantity } from './stories-graph.js';
import {
  type Comparison,
  fill,
  fractionWord,
  numberWord,
  questions,
  type Slots,
  solutionSteps,
  statements,
  timesWord,
} from './stories-phrases.js';
import type { Noun, World } from './stories-worlds.js';

export class Teller {
  readonly #rng: Rng;
  readonly #world: World;
  readonly #people: readonly string[];
  readonly #items: readonly Noun[];
  readonly #wordsForNumbers: number;

  constructor(rng: Rng, world: World, people: readonly string[]) {
    this.#rng = rng;
    this.#world = world;
    this.#people = people;
    this.#items = rng.shuffled(world.items);
    this.#wordsForNumbers = rng.pick([0, 0.5, 1]);
  }

  /** Scene, statements and question; sentences in the order of the calculation unless `shuffled`. */
  problem(story: Story, shuffled: boolean): string {
    const quantities = this.#told(story);
    for (const distractor of story.distractors) {
      const bases = ancestry(distractor).slice(0, -1);
      const earliest = Math.max(0, ...bases.map((base) => quantities.indexOf(base) + 1));
      quantities.splice(this.#rng.between(earliest, quantities.length), 0, distractor);
    }
    const order = shuffled ? this.#rng.shuffled(quantities) : quantities;
    const scene = this.#rng.chance(0.5) ? [this.#rng.pick(this.#world.scenes)] : [];
    const sentences = this.#joined(order.map((quantity) => this.#statement(quantity)));
    return [...scene, ...sentences, this.#question(story)].join(' ');
  }

  /** One sentence a line for each calculation, bases first, then "#### answer". */
  solution(story: Story): string {
    const lines: string[] = [];
    for (const quantity of this.#told(story)) {
      if (quantity.relation.kind !== 'given') {
        const slots = { ...this.#slots(quantity), e: calculation(quantity) };
        lines.push(fill(this.#rng.pick(solutionSteps.derived), slots));
      } else if (this.#rng.chance(0.3)) {
        const slots = { ...this.#slots(quantity), n: String(quantity.value) };
        lines.push(fill(this.#rng.pick(solutionSteps.given), slots));
      }
    }
    if (story.ending !== 'value') {
      const slots = { ...this.#slots(subject(story)), ...this.#partners(story.answer), e: calculation(story.answer) };
      lines.push(fill(this.#rng.pick(solutionSteps[story.ending]), slots));
    }
    return [...lines, `#### ${story.answer.value}`].join('\n');
  }

  /** The quantities that the problem states, all but the one that only the question speaks of. */
  #told(story: Story): Quantity[] {
    return ancestry(story.answer).filter((quantity) => quantity !== story.answer || story.ending === 'value');
  }

  #statement(quantity: Quantity): string {
    const { relation } = quantity;
    const slots = this.#slots(quantity);
    switch (relation.kind) {
      case 'given':
        return fill(this.#rng.pick(statements.given), { ...slots, n: this.#number(quantity.value) });
      case 'groups': {
        const numbers = { k: this.#number(relation.groups), m: this.#number(relation.each) };
        return fill(this.#rng.pick(statements.groups), { ...slots, ...numbers });
      }
      case 'sum':
        return fill(this.#rng.pick(statements.sum), { ...slots, ...this.#partners(quantity) });
      default: {
        const { base, k } = relation;
        const written = this.#number(k);
        const template = this.#rng.pick(statements[relation.kind][comparison(quantity, base)]);
        return fill(template, {
          ...slots,
          B: this.#people[base.person]!,
          y: this.#items[base.item]!.many,
          k: written,
          ...(relation.kind === 'times' || relation.kind === 'fraction' ? { t: timesWord(k, written) } : {}),
          ...(relation.kind === 'fraction' ? { f: fractionWord(k) } : {}),
        });
      }
    }
  }

  #question(story: Story): string {
    const { relation } = story.answer;
    const asksMore = story.ending !== 'value' && story.ending !== 'total';
    assert(!asksMore || 'k' in relation);
    return fill(this.#rng.pick(questions[story.ending]), {
      ...this.#slots(subject(story)),
      ...this.#partners(story.answer),
      ...('k' in relation ? { k: this.#number(relation.k) } : {}),
    });
  }

  /** What every phrase about a seated quantity can use. */
  #slots(quantity: Quantity): Slots {
    const item = this.#items[quantity.item]!;
    const { did, do: base, container } = this.#world;
    const person = this.#people[quantity.person]!;
    return { A: person, x: item.many, x1: item.one, did, do: base, box: container.one, boxes: container.many };
  }

  /** The two people of a sum. */
  #partners({ relation }: Quantity): Slots {
    if (relation.kind !== 'sum') return {};
    return { B: this.#people[relation.left.person]!, C: this.#people[relation.right.person]! };
  }

  #number(value: number): string {
    return this.#rng.chance(this.#wordsForNumbers) ? numberWord(value) : String(value);
  }

  /** Joins some neighbouring sentences into one. */
  #joined(sentences: readonly string[]): string[] {
    const result: string[] = [];
    for (const sentence of sentences) {
      const previous = result.at(-1);
      if (previous !== undefined && !/; |, while /.test(previous) && this.#rng.chance(0.2)) {
        const startsWithName = this.#people.some((name) => sentence.startsWith(name));
        const continued = startsWithName ? sentence : sentence[0]!.toLowerCase() + sentence.slice(1);
        result[result.length - 1] = `${previous.slice(0, -1)}${this.#rng.pick(['; ', ', while '])}${continued}`;
      } else {
        result.push(sentence);
      }
    }
    return result;
  }
}

/** The quantity whose person and item the question names. */
function subject({ answer, ending }: Story): Quantity {
  if (ending === 'value') return answer;
  assert(answer.relation.kind === 'sum' || 'base' in answer.relation);
  return answer.relation.kind === 'sum' ? answer.relation.left : answer.relation.base;
}

function comparison(quantity: Quantity, base: Quantity): Comparison {
  if (quantity.person === base.person) return 'otherItem';
  return quantity.item === base.item ? 'otherPerson' : 'bothDiffer';
}

/** "12 + 5 = 17" */
function calculation({ relation, value }: Quantity): string {
  switch (relation.kind) {
    case 'given':
      return String(value);
    case 'groups':
      return `${relation.groups} * ${relation.each} = ${value}`;
    case 'more':
      return `${relation.base.value} + ${relation.k} = ${value}`;
    case 'fewer':
      return `${relation.base.value} - ${relation.k} = ${value}`;
    case 'times':
      return `${relation.base.value} * ${relation.k} = ${value}`;
    case 'fraction':
      return `${relation.base.value} / ${relation.k} = ${value}`;
    case 'sum':
      return `${relation.left.value} + ${relation.right.value} = ${value}`;
    default:
      return relation satisfies never;
  }
}
