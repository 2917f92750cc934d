/**
 * Made-up records of four multiple-choice benchmarks, in the forms in which the Hub publishes them, with what readers trip over:
 * markup at the end of a context, white space inside choices, letters outside ASCII, numbers as labels. Never imported by the product.
 */
import { Rng } from 'looprpt/internal/base/rng.js';

export const HARNESS_TASKS = ['arc_challenge', 'hellaswag', 'winogrande', 'mmlu'] as const;
export type HarnessTask = (typeof HARNESS_TASKS)[number];

export type Records = Record<HarnessTask, object[]>;

const WORDS = (
  'bread river lamp 12 café stone blue walks opens under the a of 7 naïve garden – tea paints sleeps over left 2026 ' +
  'green door box cat reads sings loud 😀 table map a1 b2 is was'
).split(' ');

/** @param count of each task */
export function madeUpRecords(count: number): Records {
  const each = (task: number, record: (rng: Rng, index: number) => object): object[] =>
    Array.from({ length: count }, (_, i) => record(Rng.fromSeed(19).fold(task).fold(i), i));
  return {
    arc_challenge: each(0, arc),
    hellaswag: each(1, hellaswag),
    winogrande: each(2, winogrande),
    mmlu: each(3, mmlu),
  };
}

function words(rng: Rng, least: number, most: number): string {
  return Array.from({ length: rng.between(least, most) }, () => rng.pick(WORDS)).join(' ');
}

function arc(rng: Rng, index: number): object {
  const label = (index % 2 ? '1 2 3 4 5' : 'A B C D E').split(' ').slice(0, 3 + rng.below(3));
  const text = label.map(() => words(rng, 1, 5));
  const answerKey = label[rng.below(label.length)];
  return { id: `arc-${index}`, question: `${words(rng, 4, 12)}?`, choices: { text, label }, answerKey };
}

function hellaswag(rng: Rng, index: number): object {
  const marks = [' [step]', ' [title]', ' [substeps] ', ''];
  const ending = (): string => `${words(rng, 2, 8)}${rng.pick(marks)}${words(rng, 1, 3)}.${rng.pick(marks)}`;
  const endings = [`[header] ${ending()}`, ending(), ending(), ending()];
  return {
    ind: index,
    activity_label: words(rng, 1, 2),
    ctx_a: `${words(rng, 3, 9)}.`,
    ctx_b: `${words(rng, 1, 4)}${marks[index % 4]}`,
    endings,
    label: String(rng.below(4)),
  };
}

function winogrande(rng: Rng, index: number): object {
  const after = [' ', ', ', "'s ", '  '][index % 4];
  const [option1, option2] = [words(rng, 1, 2), words(rng, 1, 2)];
  const sentence = `${words(rng, 3, 8)} _${after}${words(rng, 2, 6)}.${index % 3 ? '' : ' '}`;
  return { sentence, option1, option2, answer: String(1 + rng.below(2)) };
}

function mmlu(rng: Rng, index: number): object {
  const choices = Array.from({ length: 4 }, () => words(rng, 1, 4));
  const question = `${words(rng, 4, 10)}?${index % 2 ? '' : '\n'}`;
  return { question, subject: 'high_school_physics', choices, answer: rng.below(4) };
}
