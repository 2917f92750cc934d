/**
 * Multiple-choice tasks as texts to compare, in the form in which lm-evaluation-harness scores each of them. A choice is a context
 * and its continuation, and only the continuation's tokens are scored, so that choices may differ in the context (winogrande: the
 * name put into the blank) or in the continuation (all others).
 */
import { arcRecord, hellaswagRecord, LETTERS, mmluRecord, winograndeRecord } from './choice-records.js';
import { type Meaning, readItems } from './read-records.js';
import type { ChoiceTask, TaskConfig } from './task-config.js';

export interface Choice {
  context: string;
  /** A space that parts it from the context, then the choice as it stands, with spaces of its own perhaps. */
  continuation: string;
}

export interface ChoiceItem {
  /** From 2 on. */
  choices: Choice[];
  /** Index of the right one. */
  answer: number;
  /** Examples are taken from the same group; null where there is only one. */
  group: string | null;
}

const itemOf: Record<ChoiceTask, Meaning<ChoiceItem>> = {
  arc_challenge: made(arcRecord, ({ question, choices, answer }) =>
    continuations(`Question: ${question}\nAnswer:`, choices, answer),
  ),
  hellaswag: made(hellaswagRecord, ({ query, choices, answer }) => continuations(query, choices, answer)),
  mmlu: made(mmluRecord, ({ question, choices, answer, subject }) => {
    const options = choices.map((choice, i) => `${LETTERS[i]}. ${choice}`);
    const context = `${[question.trim(), ...options].join('\n')}\nAnswer:`;
    return continuations(context, [...LETTERS.slice(0, choices.length)], answer, subject);
  }),
  winogrande: made(winograndeRecord, ({ sentence, option1, option2, answer }) => {
    const [before, after] = sentence.split('_') as [string, string];
    // A space comes before a comma or an apostrophe too: published scores are made so.
    const continuation = ` ${after.trim()}`;
    const choices = [option1, option2].map((name) => ({ context: before + name, continuation }));
    return { choices, answer: answer - 1, group: null };
  }),
};

function made<T>(meaning: Meaning<T>, item: (record: T) => ChoiceItem): Meaning<ChoiceItem> {
  return (record) => {
    const found = meaning(record);
    return 'fault' in found ? found : { value: item(found.value) };
  };
}

function continuations(
  context: string,
  choices: readonly string[],
  answer: number,
  group: string | null = null,
): ChoiceItem {
  return { choices: choices.map((choice) => ({ context, continuation: ` ${choice}` })), answer, group };
}

/** The task's items, with the examples already in front of every context. @throws UserError with file, line and key */
export async function readChoiceItems(
  task: ChoiceTask,
  config: Pick<TaskConfig, 'path' | 'examples' | 'shots' | 'limit'>,
): Promise<ChoiceItem[]> {
  const items = await readItems(config.path, itemOf[task], config.limit);
  const examples = config.examples === undefined ? [] : await readItems(config.examples, itemOf[task]);
  return items.map((item): ChoiceItem => {
    const prefix = preamble(task, item.group) + solved(examples, item.group, config.shots);
    const choices = item.choices.map(({ context, continuation }) => ({ context: prefix + context, continuation }));
    return { ...item, choices };
  });
}

function solved(examples: readonly ChoiceItem[], group: string | null, shots: number): string {
  return examples
    .filter((example) => example.group === group)
    .slice(0, shots)
    .map(({ choices, answer }) => `${choices[answer]!.context}${choices[answer]!.continuation}\n\n`)
    .join('');
}

/** The line that opens mmlu's prompt, as the benchmark defines it; other tasks have none. */
function preamble(task: ChoiceTask, group: string | null): string {
  if (task !== 'mmlu') return '';
  return `The following are multiple choice questions (with answers) about ${(group ?? '').replaceAll('_', ' ')}.\n\n`;
}
