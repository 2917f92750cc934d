/**
 * Solves a generated word problem from its English alone, for the tests of the generator, with which it shares nothing:
 * sentences are matched against patterns of its own, become equations, and the equations are solved by propagation
 * until the quantity asked for is known. A sentence with a number that no pattern understands is an error.
 */
import assert from 'node:assert/strict';

/** x = factor · y + offset, or x = y + z, or x = number. Quantities are named "person/item". */
type Equation =
  | { kind: 'number'; x: string; value: number }
  | { kind: 'line'; x: string; y: string; factor: number; offset: number }
  | { kind: 'sum'; x: string; y: string; z: string };

const words = ['two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve'];
const numberPattern = `(\\d+|${words.join('|')})`;
const slots: Readonly<Record<string, string>> = {
  P: '([A-Z][a-z]+)',
  N: numberPattern,
  I: '([a-z]+(?: [a-z]+)?)',
  V: '(?:picked|collected|baked|painted|received|planted|printed|made|caught|bought)',
  D: '(?:pick|collect|bake|paint|receive|plant|print|make|catch|buy)',
  T: `(twice|(?:${numberPattern.slice(1, -1)}) times)`,
  F: '(half|a third|a quarter)',
};

/** Capital letters standing alone are slots. */
function pattern(text: string, end = '$'): RegExp {
  return new RegExp(`${end === '$' ? '^' : ''}${text.replace(/\b[PNIVDTF]\b/g, (slot) => slots[slot]!)}$`);
}

function numberOf(text: string): number {
  const word = text.replace(/ times$/, '');
  if (word === 'twice') return 2;
  return words.includes(word) ? words.indexOf(word) + 2 : Number(word);
}

const fractionOf = (text: string): number => ({ half: 2, 'a third': 3, 'a quarter': 4 })[text]!;

const number = (x: string, value: number): Equation => ({ kind: 'number', x, value });
const shift = (x: string, y: string, offset: number): Equation => ({ kind: 'line', x, y, factor: 1, offset });
const scale = (x: string, y: string, factor: number): Equation => ({ kind: 'line', x, y, factor, offset: 0 });

type Reading = readonly [RegExp, (...parts: string[]) => Equation];

const sign = (word: string) => (word === 'more' || word === 'add' ? 1 : -1);

const readings: readonly Reading[] = [
  [
    pattern('(?:In the end |The list on the wall says that |By the final count )?P(?:, who came early,)? V N I'),
    (p, n, i) => number(`${p}/${i}`, numberOf(n!)),
  ],
  [pattern('Nobody helped P, who V N I'), (p, n, i) => number(`${p}/${i}`, numberOf(n!))],
  [pattern('P filled N [a-z]+ with N I each'), (p, k, m, i) => number(`${p}/${i}`, numberOf(k!) * numberOf(m!))],
  [pattern('P V exactly enough I for N [a-z]+ of N'), (p, i, k, m) => number(`${p}/${i}`, numberOf(k!) * numberOf(m!))],
  [
    pattern('The I that P V fit into N [a-z]+, N to a [a-z]+'),
    (i, p, k, m) => number(`${p}/${i}`, numberOf(k!) * numberOf(m!)),
  ],
  [
    pattern('P V N (more|fewer) I than P(?: did)?'),
    (a, k, way, i, b) => shift(`${a}/${i}`, `${b}/${i}`, sign(way!) * numberOf(k!)),
  ],
  [
    pattern('Compared with P, P V N (more|fewer) I'),
    (b, a, k, way, i) => shift(`${a}/${i}`, `${b}/${i}`, sign(way!) * numberOf(k!)),
  ],
  [pattern('P was ahead of P by N I'), (a, b, k, i) => shift(`${a}/${i}`, `${b}/${i}`, numberOf(k!))],
  [pattern('P was N I short of what P V'), (a, k, i, b) => shift(`${a}/${i}`, `${b}/${i}`, -numberOf(k!))],
  [
    pattern('P V N (more|fewer) I than I'),
    (a, k, way, x, y) => shift(`${a}/${x}`, `${a}/${y}`, sign(way!) * numberOf(k!)),
  ],
  [pattern("P's I outnumber P's I by N"), (a, x, b, y, k) => shift(`${a}/${x}`, `${b}/${y}`, numberOf(k!))],
  [
    pattern('As for P, there were N (more|fewer) I than I'),
    (a, k, way, x, y) => shift(`${a}/${x}`, `${a}/${y}`, sign(way!) * numberOf(k!)),
  ],
  [
    pattern('P V N (more|fewer) I than P V I'),
    (a, k, way, x, b, y) => shift(`${a}/${x}`, `${b}/${y}`, sign(way!) * numberOf(k!)),
  ],
  [
    pattern('Take the number of I P V and (add|subtract) N: that is how many I P V'),
    (y, b, way, k, x, a) => shift(`${a}/${x}`, `${b}/${y}`, sign(way!) * numberOf(k!)),
  ],
  [pattern('P V T as many I as P(?: did)?'), (a, t, i, b) => scale(`${a}/${i}`, `${b}/${i}`, numberOf(t!))],
  [pattern('For I, the count of P is T that of P'), (i, a, t, b) => scale(`${a}/${i}`, `${b}/${i}`, numberOf(t!))],
  [pattern('P V T as many I as I'), (a, t, x, y) => scale(`${a}/${x}`, `${a}/${y}`, numberOf(t!))],
  [pattern('For every one of the I of P there are N I'), (y, a, k, x) => scale(`${a}/${x}`, `${a}/${y}`, numberOf(k!))],
  [pattern('P V T as many I as P V I'), (a, t, x, b, y) => scale(`${a}/${x}`, `${b}/${y}`, numberOf(t!))],
  [pattern('P (?:V|managed only) F as many I as P'), (a, f, i, b) => scale(`${b}/${i}`, `${a}/${i}`, fractionOf(f!))],
  [pattern('P V F as many I as I'), (a, f, x, y) => scale(`${a}/${y}`, `${a}/${x}`, fractionOf(f!))],
  [pattern('P V F as many I as P V I'), (a, f, x, b, y) => scale(`${b}/${y}`, `${a}/${x}`, fractionOf(f!))],
  [
    pattern('P V (?:exactly )?as many I as P and P (?:together|combined)'),
    (a, i, b, c) => ({ kind: 'sum', x: `${a}/${i}`, y: `${b}/${i}`, z: `${c}/${i}` }),
  ],
  [
    pattern('Together, P and P V the same number of I as P'),
    (b, c, i, a) => ({ kind: 'sum', x: `${a}/${i}`, y: `${b}/${i}`, z: `${c}/${i}` }),
  ],
];

/** What is asked: which quantities, and what to do with their values. */
type Question = readonly [RegExp, (...parts: string[]) => { of: string[]; answer: (...values: number[]) => number }];

const one = (person: string | undefined, item: string | undefined, answer = (value: number) => value) => ({
  of: [`${person}/${item}`],
  answer,
});
const both = (b: string | undefined, c: string | undefined, item: string | undefined) => ({
  of: [`${b}/${item}`, `${c}/${item}`],
  answer: (...values: number[]) => values[0]! + values[1]!,
});
const question = (text: string) => pattern(`(?:^| )${text}`, '');

const askings: readonly Question[] = [
  [
    question('At N dollars for each [a-z ]+, how many dollars are the I of P worth in all\\?'),
    (k, i, p) => one(p, i, (v) => v * numberOf(k!)),
  ],
  [
    question("Each [a-z ]+ is worth N dollars\\. How many dollars are P's I worth\\?"),
    (k, p, i) => one(p, i, (v) => v * numberOf(k!)),
  ],
  [
    question('P divides the I evenly among N [a-z]+\\. How many [a-z ]+ go into each [a-z]+\\?'),
    (p, i, k) => one(p, i, (v) => v / numberOf(k!)),
  ],
  [
    question('If P deals out the I equally to N friends, how many [a-z ]+ does each friend get\\?'),
    (p, i, k) => one(p, i, (v) => v / numberOf(k!)),
  ],
  [
    question('Later P gives N of those I away\\. How many [a-z ]+ does [A-Z][a-z]+ keep\\?'),
    (p, k, i) => one(p, i, (v) => v - numberOf(k!)),
  ],
  [
    question('After handing N I to a neighbor, how many [a-z ]+ does P still have\\?'),
    (k, i, p) => one(p, i, (v) => v - numberOf(k!)),
  ],
  [question('How many I did P and P D altogether\\?'), (i, b, c) => both(b, c, i)],
  [question('What is the total number of I V by P and P\\?'), (i, b, c) => both(b, c, i)],
  [question('If P and P put their I together, how many are there\\?'), (b, c, i) => both(b, c, i)],
  [question('How many I did P D\\?'), (i, p) => one(p, i)],
  [question('What is the number of I that P V\\?'), (i, p) => one(p, i)],
  [question('Find out how many I P V\\.'), (i, p) => one(p, i)],
  [question('Can you tell how many I P V\\?'), (i, p) => one(p, i)],
];

/** The answer to the problem; fails when a sentence is not understood or the equations do not determine it. */
export function solveStory(problem: string): number {
  for (const [asking, read] of askings) {
    const match = asking.exec(problem);
    if (!match) continue;
    const { of, answer } = read(...match.slice(1));
    const known = propagate(equationsOf(problem.slice(0, match.index)));
    const values = of.map((quantity) => {
      const value = known.get(quantity);
      assert(value !== undefined, `${quantity} is not determined by: ${problem}`);
      return value;
    });
    return answer(...values);
  }
  throw new Error(`no question understood in: ${problem}`);
}

function equationsOf(text: string): Equation[] {
  const equations: Equation[] = [];
  for (const piece of text.split(/(?<=\.) |; |, while /)) {
    if (piece === '') continue;
    const sentence = piece[0]!.toUpperCase() + piece.slice(1).replace(/\.$/, '');
    const found = readings.flatMap(([reading, read]) => {
      const match = reading.exec(sentence);
      return match ? [read(...match.slice(1))] : [];
    });
    assert(found.length <= 1, `ambiguous: ${sentence}`);
    const mentionsNumber = new RegExp(`\\b${numberPattern}\\b|twice|half|third|quarter|as many|combined`).test(
      sentence,
    );
    assert(found.length === 1 || !mentionsNumber, `not understood: ${sentence}`);
    equations.push(...found);
  }
  return equations;
}

function propagate(equations: readonly Equation[]): Map<string, number> {
  const known = new Map<string, number>();
  const learn = (quantity: string, value: number) => {
    const before = known.get(quantity);
    assert(before === undefined || before === value, `${quantity} is both ${before} and ${value}`);
    known.set(quantity, value);
  };
  for (let pass = 0; pass <= equations.length; pass++) {
    for (const equation of equations) {
      const x = known.get(equation.x);
      if (equation.kind === 'number') learn(equation.x, equation.value);
      else if (equation.kind === 'line') {
        const y = known.get(equation.y);
        if (y !== undefined) learn(equation.x, equation.factor * y + equation.offset);
        else if (x !== undefined) learn(equation.y, (x - equation.offset) / equation.factor);
      } else {
        const [y, z] = [known.get(equation.y), known.get(equation.z)];
        if (y !== undefined && z !== undefined) learn(equation.x, y + z);
        else if (x !== undefined && y !== undefined) learn(equation.z, x - y);
        else if (x !== undefined && z !== undefined) learn(equation.y, x - z);
      }
    }
  }
  return known;
}
