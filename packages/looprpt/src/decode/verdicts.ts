/**
 * From what was read off the rows of a pass to what becomes of them: tokens that are certain, tokens that start, drafts that are
 * dropped. Plain data; the scheduler carries it out.
 */
import type { Exit } from './exits.js';
import type { ReadToken } from './request.js';
import type { Outcome, PassRow, Plan } from './scheduler.js';
import type { Sequence } from './sequence.js';
import type { Speculation } from './speculation.js';
import type { Choice } from './token-choice.js';

/** Tells drafts that a pass begins. @returns whether it counts for what they cost: some speculate, and no prompt is read */
export function beginDrafts({ rows, held }: Plan<Sequence>, speculation: Speculation): boolean {
  const decoding = new Set<Sequence>();
  let readsPrompts = false;
  let speculates = false;
  for (const { job, isPrompt } of rows) {
    if (isPrompt) readsPrompts = true;
    else decoding.add(job);
    speculates ||= job.drafts !== null;
  }
  const counts = speculates && !readsPrompts;
  speculation.begin(decoding.size + held, counts);
  if (speculates) for (const { drafts } of decoding) drafts?.begin();
  return counts;
}

/** Whether a row is read off after the pass. */
export function isRead({ job, position, loop, isPrompt }: PassRow<Sequence>, { exits }: Exit): boolean {
  return !isPrompt && (exits || (job.drafts?.asks(position + 1, loop + 1) ?? false));
}

/** What becomes of every row, and the tokens that are certain. Rows of a sequence come by position. @param choices by row that was read off */
export function judged(
  rows: readonly PassRow<Sequence>[],
  exits: readonly Exit[],
  choices: ReadonlyMap<number, Choice>,
): { outcomes: Outcome[]; tokens: [Sequence, ReadToken][] } {
  const tokens: [Sequence, ReadToken][] = [];
  // Whose tokens after the row before were dropped: what is said of them in this pass is of no interest any more.
  let dropped: Sequence | null = null;
  const outcomes = rows.map(({ job, position, loop, isPrompt }, n): Outcome => {
    const { exits: leaves, ends } = exits[n]!;
    const choice = choices.get(n);
    if (isPrompt || choice === undefined || dropped === job) return { next: false, drops: false, ends };
    const { token, margin } = choice;
    if (!job.drafts) {
      tokens.push([job, token]);
      return { next: true, drops: false, ends };
    }
    const place = position + 1;
    if (!leaves) {
      const opinion = { loop: loop + 1, id: token.id, margin };
      const { next, drops } = job.drafts.hear(place, opinion, job.goesOn(place, token.id));
      if (drops) dropped = job;
      return { next, drops, ends };
    }
    const { next, drops, drafted } = job.drafts.settle(place, token.id);
    if (drops) dropped = job;
    if (drafted !== null) token.drafted = drafted;
    tokens.push([job, token]);
    return { next, drops, ends };
  });
  return { outcomes, tokens };
}
