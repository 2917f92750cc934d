/**
 * A small set of combinations of settings in which any two values of any two settings occur together: what interacts, almost
 * always interacts in pairs, and the full product would be thousands of cases.
 */
import { random } from './slow/tiny-model.js';

type Factors = Record<string, readonly unknown[]>;
type Combination<F extends Factors> = { [K in keyof F]: F[K][number] };

/** Greedy: of 40 random combinations that hold the next pair still missing, the one with most missing pairs. */
export function allPairs<const F extends Factors>(factors: F, seed = 1): Combination<F>[] {
  const numbers = random(seed);
  const names = Object.keys(factors);
  type Choice = Record<string, number>;
  const pairsOf = (choice: Choice): string[] =>
    names.flatMap((a, i) => names.slice(i + 1).map((b) => `${a}=${choice[a]} ${b}=${choice[b]}`));
  const missing = new Map<string, Choice>();
  names.forEach((a, i) => {
    for (const b of names.slice(i + 1))
      factors[a]!.forEach((_, x) => {
        factors[b]!.forEach((_, y) => {
          missing.set(`${a}=${x} ${b}=${y}`, { [a]: x, [b]: y });
        });
      });
  });
  const chosen: Choice[] = [];
  for (let next = missing.values().next(); !next.done; next = missing.values().next()) {
    const fixed = next.value;
    const candidates = Array.from({ length: 40 }, (): Choice => {
      const drawn = names.map((name) => [name, fixed[name] ?? numbers.below(factors[name]!.length)]);
      return Object.fromEntries(drawn);
    });
    const gain = (choice: Choice): number => pairsOf(choice).filter((pair) => missing.has(pair)).length;
    const best = candidates.reduce((most, choice) => (gain(choice) > gain(most) ? choice : most));
    for (const pair of pairsOf(best)) missing.delete(pair);
    chosen.push(best);
  }
  return chosen.map(
    (choice) =>
      Object.fromEntries(names.map((name) => [name, factors[name]![choice[name]!]])) as unknown as Combination<F>,
  );
}
