/** A text as models saw it, as numbers: where each token leaves at a threshold, and what one model says better than another. */
import type { HeldOutText, LoopSeen, TextSeen, TokenSeen } from '../../models/protocol.js';

/** Which tokens of a text are judged; null: all of them. */
export type Counted = ReadonlySet<number> | null;

/** The tokens that overlap what the loss is of. */
export function countedOf({ tokens }: TextSeen, loss: HeldOutText['loss']): Counted {
  if (loss === null) return null;
  const counted = new Set<number>();
  let begin = 0;
  for (const [index, { text }] of tokens.entries()) {
    const end = begin + text.length;
    if (loss.some(([from, to]) => from < end && to > begin)) counted.add(index);
    begin = end;
  }
  return counted;
}

/** The first loop, from 1, at which the probabilities to leave have added up to the threshold; the last one at the latest. */
export function exitLoop(loops: readonly LoopSeen[], threshold: number): number {
  let sum = 0;
  for (const [k, { exit }] of loops.entries()) {
    sum += exit;
    if (sum >= threshold) return k + 1;
  }
  return loops.length;
}

export interface Gain {
  /** Which token of the text, from 0. */
  index: number;
  text: string;
  /** Log-probability of the token that came, at the loop where it leaves: of the second model minus the first, nats. */
  gain: number;
  /** Of the first and the second model. */
  loops: [number, number];
  logprobs: [number, number];
  /** The likeliest token is another one, or it leaves after another loop. */
  changed: boolean;
}

/** What the second model says better than the first, most first; none where they cut the text differently. */
export function gainsOf(first: TextSeen, second: TextSeen, threshold: number, counted: Counted = null): Gain[] {
  if (!comparable(first, second)) return [];
  const gains = first.tokens.flatMap((token, index): Gain[] => {
    const other = second.tokens[index]!;
    const [a, b] = [at(token, threshold), at(other, threshold)];
    if (!a || !b || counted?.has(index) === false) return [];
    const changed = a.loop !== b.loop || a.seen.top[0]?.id !== b.seen.top[0]?.id;
    const logprobs: [number, number] = [a.seen.logprob, b.seen.logprob];
    return [{ index, text: token.text, gain: logprobs[1] - logprobs[0], loops: [a.loop, b.loop], logprobs, changed }];
  });
  return gains.sort((a, b) => b.gain - a.gain);
}

export function comparable(first: TextSeen, second: TextSeen): boolean {
  return first.tokenizer === second.tokenizer && first.tokens.length === second.tokens.length;
}

/** Of the judged tokens but the first: loops at the threshold, and log-probability there. */
export function meansOf(
  { tokens }: TextSeen,
  threshold: number,
  counted: Counted = null,
): { loops: number; logprob: number } | null {
  const all = tokens.flatMap((token, index) => (counted?.has(index) === false ? [] : (at(token, threshold) ?? [])));
  if (all.length === 0) return null;
  const sum = (pick: (one: (typeof all)[number]) => number): number => all.reduce((total, one) => total + pick(one), 0);
  return { loops: sum(({ loop }) => loop) / all.length, logprob: sum(({ seen }) => seen.logprob) / all.length };
}

function at({ loops }: TokenSeen, threshold: number): { loop: number; seen: LoopSeen } | null {
  if (loops === null) return null;
  const loop = exitLoop(loops, threshold);
  return { loop, seen: loops[loop - 1]! };
}
