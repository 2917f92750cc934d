/**
 * The English of the word problems: for each relation, each question and each step of a solution the ways to say it,
 * as templates. Which numbers and who has what is decided elsewhere (`stories-graph.ts`).
 *
 * Slots: {A}, {B}, {C} people; {x} the item counted, {x1} one of it, {y} another item; {n}, {k}, {m} numbers;
 * {did}, {do} the verb; {box}, {boxes} the container; {t} "twice" or "3 times"; {f} "half", "a third", "a quarter".
 */
import assert from 'node:assert/strict';

export type Slots = Readonly<Record<string, string>>;

/** Puts the values into the template; a slot without value is a fault of ours. */
export function fill(template: string, slots: Slots): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = slots[name];
    assert(value !== undefined, `no value for slot {${name}} in: ${template}`);
    return value;
  });
}

/**
 * Comparisons come in three cases: the same item of two people; two items of one person; both differ. {A}'s {x} is
 * what is told, {B}'s {x} or {y} what it is told by. Some say it the other way round, which must be turned in mind.
 */
export type Comparison = 'otherPerson' | 'otherItem' | 'bothDiffer';

export const statements = {
  given: [
    '{A} {did} {n} {x}.',
    '{A}, who came early, {did} {n} {x}.',
    'In the end {A} {did} {n} {x}.',
    'The list on the wall says that {A} {did} {n} {x}.',
    'By the final count {A} {did} {n} {x}.',
    'Nobody helped {A}, who {did} {n} {x}.',
  ],
  groups: [
    '{A} filled {k} {boxes} with {m} {x} each.',
    '{A} {did} exactly enough {x} for {k} {boxes} of {m}.',
    'The {x} that {A} {did} fit into {k} {boxes}, {m} to a {box}.',
  ],
  more: {
    otherPerson: [
      '{A} {did} {k} more {x} than {B}.',
      '{A} {did} {k} more {x} than {B} did.',
      'Compared with {B}, {A} {did} {k} more {x}.',
      '{A} was ahead of {B} by {k} {x}.',
      '{B} {did} {k} fewer {x} than {A}.',
    ],
    otherItem: [
      '{A} {did} {k} more {x} than {y}.',
      "{A}'s {x} outnumber {A}'s {y} by {k}.",
      'As for {A}, there were {k} more {x} than {y}.',
    ],
    bothDiffer: [
      '{A} {did} {k} more {x} than {B} {did} {y}.',
      'Take the number of {y} {B} {did} and add {k}: that is how many {x} {A} {did}.',
    ],
  },
  fewer: {
    otherPerson: [
      '{A} {did} {k} fewer {x} than {B}.',
      '{A} {did} {k} fewer {x} than {B} did.',
      'Compared with {B}, {A} {did} {k} fewer {x}.',
      '{A} was {k} {x} short of what {B} {did}.',
      '{B} {did} {k} more {x} than {A}.',
    ],
    otherItem: [
      '{A} {did} {k} fewer {x} than {y}.',
      "{A}'s {y} outnumber {A}'s {x} by {k}.",
      'As for {A}, there were {k} fewer {x} than {y}.',
    ],
    bothDiffer: [
      '{A} {did} {k} fewer {x} than {B} {did} {y}.',
      'Take the number of {y} {B} {did} and subtract {k}: that is how many {x} {A} {did}.',
    ],
  },
  times: {
    otherPerson: [
      '{A} {did} {t} as many {x} as {B}.',
      '{A} {did} {t} as many {x} as {B} did.',
      'For {x}, the count of {A} is {t} that of {B}.',
    ],
    otherItem: ['{A} {did} {t} as many {x} as {y}.', 'For every one of the {y} of {A} there are {k} {x}.'],
    bothDiffer: ['{A} {did} {t} as many {x} as {B} {did} {y}.'],
  },
  fraction: {
    otherPerson: [
      '{A} {did} {f} as many {x} as {B}.',
      '{A} managed only {f} as many {x} as {B}.',
      '{B} {did} {t} as many {x} as {A}.',
    ],
    otherItem: ['{A} {did} {f} as many {x} as {y}.', '{A} {did} {t} as many {y} as {x}.'],
    bothDiffer: ['{A} {did} {f} as many {x} as {B} {did} {y}.'],
  },
  sum: [
    '{A} {did} as many {x} as {B} and {C} together.',
    '{A} {did} exactly as many {x} as {B} and {C} combined.',
    'Together, {B} and {C} {did} the same number of {x} as {A}.',
  ],
} as const;

/** The last sentences of a problem, by what is done with the quantity asked for. */
export const questions = {
  value: [
    'How many {x} did {A} {do}?',
    'What is the number of {x} that {A} {did}?',
    'Find out how many {x} {A} {did}.',
    'Can you tell how many {x} {A} {did}?',
  ],
  total: [
    'How many {x} did {B} and {C} {do} altogether?',
    'What is the total number of {x} {did} by {B} and {C}?',
    'If {B} and {C} put their {x} together, how many are there?',
  ],
  worth: [
    "Each {x1} is worth {k} dollars. How many dollars are {A}'s {x} worth?",
    'At {k} dollars for each {x1}, how many dollars are the {x} of {A} worth in all?',
  ],
  share: [
    '{A} divides the {x} evenly among {k} {boxes}. How many {x} go into each {box}?',
    'If {A} deals out the {x} equally to {k} friends, how many {x} does each friend get?',
  ],
  left: [
    'Later {A} gives {k} of those {x} away. How many {x} does {A} keep?',
    'After handing {k} {x} to a neighbor, how many {x} does {A} still have?',
  ],
} as const;

/** Steps of a solution; {e} is the calculation with its result. */
export const solutionSteps = {
  given: ['We know that {A} {did} {n} {x}.', 'The text gives {n} {x} for {A}.'],
  derived: [
    '{A} {did} {e} {x}.',
    'So {A} {did} {e} {x}.',
    'The number of {x} for {A} is {e}.',
    'That makes {e} {x} for {A}.',
  ],
  total: ['Together {B} and {C} {did} {e} {x}.', 'In total there are {e} {x}.'],
  worth: ["{A}'s {x} are worth {e} dollars.", 'All {x} of {A} come to {e} dollars.'],
  share: ['Each share has {e} {x}.', 'Dividing equally gives {e} {x} each.'],
  left: ['Then {A} has {e} {x} left.', 'What remains is {e} {x}.'],
} as const;

// biome-ignore format: a table
const numberWords = [
  'zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve',
];

/** A number as a word where English has a short one, else as digits. */
export function numberWord(value: number): string {
  return numberWords[value] ?? String(value);
}

/** "twice", "3 times"; `written` is the factor as it should appear. */
export function timesWord(factor: number, written: string): string {
  return factor === 2 ? 'twice' : `${written} times`;
}

export function fractionWord(divisor: number): string {
  const word = { 2: 'half', 3: 'a third', 4: 'a quarter' }[divisor];
  assert(word !== undefined, `no word for one over ${divisor}`);
  return word;
}
