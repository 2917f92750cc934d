/**
 * Which curves there are for the columns that runs have, in the order that people look at them, and how each is named. A panel shows one
 * quantity of several runs; pure data, nothing is drawn here.
 */

export interface Quantity {
  id: string;
  title: string;
  /** Of every run. */
  column: string;
  /** What the values are divided by. */
  scale: number;
}

/** Quantities of fixed names, first to last; those of loops and parts are put in where they belong. */
const KNOWN: readonly [column: string, title: string, scale?: number][] = [
  ['loss', 'Loss'],
  ['meanLoops', 'Mean loops'],
  ['parts', 'Loss part'],
  ['exitEntropy', 'Exit entropy (nats)'],
  ['rewardByLoop', 'Reward after loop'],
  ['advantageSpread', 'Advantage spread (nats)'],
  ['noSpreadShare', 'Groups without spread (share)'],
  ['klTeacher', 'KL to the teacher (nats)'],
  ['gradientNorm', 'Gradient norm'],
  ['learningRate', 'Learning rate'],
  ['tokensPerSecond', 'Thousand tokens per second', 1000],
  ['memoryBytes', 'Memory (GiB)', 2 ** 30],
];

/** What is shown otherwise, or is no curve. */
const APART: ReadonlySet<string> = new Set([
  'exitHistogram',
  'tokens',
  'seconds',
  'parts.klTeacher',
  'parts.exitEntropy',
]);

/** @param columns names of all runs shown, in any order */
export function quantitiesOf(columns: ReadonlySet<string>): Quantity[] {
  const taken = new Set<string>();
  const quantity = (column: string, title: string, scale = 1): Quantity => {
    taken.add(column);
    return { id: column, title, column, scale };
  };
  const within = (group: string): string[] =>
    [...columns].filter((name) => name.startsWith(`${group}.`) && !APART.has(name));
  const known = KNOWN.flatMap(([name, title, scale]) => {
    if (columns.has(name)) return [quantity(name, title, scale)];
    const titled = (column: string): string => {
      const rest = column.slice(name.length + 1);
      return name === 'parts' ? `${title}: ${rest}` : `${title} ${rest}`;
    };
    return within(name).map((column) => quantity(column, titled(column), scale));
  });
  // What a loss of one's own measures, or a later version.
  const others = [...columns].filter((name) => !taken.has(name) && !APART.has(name) && !APART.has(name.split('.')[0]!));
  return [...known, ...others.map((name) => quantity(name, name))];
}

/** The columns of the exit histogram, loop 1 first. */
export function exitColumns(columns: ReadonlySet<string>): string[] {
  return [...columns]
    .filter((name) => name.startsWith('exitHistogram.'))
    .sort((a, b) => Number(a.split('.')[1]) - Number(b.split('.')[1]));
}
