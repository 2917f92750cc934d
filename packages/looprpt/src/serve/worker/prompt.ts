/** Prompts of a job as token ids, and what a client that wants its prompt back is told of it. */
import { orFirstToken } from '../../decode/prompt.js';
import type { PromptInput, PromptNews } from './protocol.js';
import type { Served } from './served.js';

/** @throws UserError, Refused for a prompt that the model cannot read */
export async function promptIds(served: Served, prompt: PromptInput): Promise<ArrayLike<number>> {
  if (prompt.kind === 'ids' && prompt.ids.length > 0) return prompt.ids;
  const text = await promptText(served, prompt);
  const ids = text === '' ? [] : await served.reader.read(text, fieldOf(prompt));
  return orFirstToken(ids, served.model.config);
}

/** The request's field that a prompt stands in. */
export function fieldOf({ kind }: PromptInput): 'messages' | 'prompt' {
  return kind === 'chat' ? 'messages' : 'prompt';
}

async function promptText({ renderer, reader }: Served, prompt: PromptInput): Promise<string> {
  switch (prompt.kind) {
    case 'ids':
      return '';
    case 'text':
      return prompt.text;
    case 'chat':
      return renderer.render(prompt, reader.mostBytes);
    default:
      throw prompt satisfies never;
  }
}

export function promptNews({ tokenizer }: Served, prompt: PromptInput, ids: number[], echo: boolean): PromptNews {
  if (!echo) return { tokens: ids.length, echo: null };
  const decoder = tokenizer.stream();
  const tokens = ids.map((id) => ({ id, text: tokenizer.decode([id]), piece: decoder.push(id) }));
  const rest = decoder.end();
  if (rest !== '') tokens.at(-1)!.piece += rest;
  const text = prompt.kind === 'text' ? prompt.text : tokens.map(({ piece }) => piece).join('');
  return { tokens: ids.length, echo: { text, tokens } };
}
