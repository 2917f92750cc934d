/** A text under a model, token by token: the lens, with each place's numbers at the token that they are about. */
import { UserError } from '../../base/user-error.js';
import { lens } from '../../eval/lens.js';
import type { Model } from '../../train/state/open-model.js';
import type { LookQuestion, TextSeen, TokenSeen } from './protocol.js';

/** Longer texts would make pages that nobody reads, and wait for. */
export const MOST_TOKENS = 4096;

/** @throws UserError where the text is empty or too long */
export async function look(model: Model, { name, text, top }: Omit<LookQuestion, 'model'>): Promise<TextSeen> {
  const { tokenizer, lm } = model;
  const { ids, starts } = await tokenizer.encodeWithOffsets(text);
  if (ids.length === 0) throw new UserError('the text is empty');
  if (ids.length > MOST_TOKENS) throw new UserError(`the text has ${ids.length} tokens; ${MOST_TOKENS} are the most`);
  const row = Array.from(ids);
  const seen = lens(lm, [row], { name, taus: [], top, tokenText: (id) => tokenizer.decode([id]) });
  const tokens = row.map((id, s): TokenSeen => {
    const part = text.slice(s === 0 ? 0 : starts[s]!, s + 1 < row.length ? starts[s + 1]! : undefined);
    return { id, text: part, loops: s === 0 ? null : loopsOf(s - 1) };
  });
  return { model: name, loops: seen.loops, tokenizer: tokenizer.hash, tokens };

  function loopsOf(s: number) {
    return Array.from({ length: seen.loops }, (_, k) => ({
      logprob: seen.logprobs[0]![s]![k]!,
      entropy: seen.entropy[0]![s]![k]!,
      // The last loop is left whatever the gate says.
      gate: k === seen.loops - 1 ? 1 : 1 / (1 + Math.exp(-seen.gateLogits[0]![s]![k]!)),
      exit: seen.exitPdf[0]![s]![k]!,
      top: seen.top[0]![s]![k]!,
    }));
  }
}
