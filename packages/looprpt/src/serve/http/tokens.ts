/** The tokenizer for clients that have none of their own: texts and chats to ids, and back. */
import type { DecoderClient } from '../worker/client.js';
import type { PromptInput, ServedModel } from '../worker/protocol.js';
import { templateMessages } from './job.js';
import type { TokenizeRequest } from './schemas/tokens.js';

/** @throws JobRefused for a chat that cannot be rendered, or more text than the model could take */
export async function tokenize(client: DecoderClient, body: TokenizeRequest, signal: AbortSignal) {
  const { ids, texts } = await client.ask({ kind: 'tokenize', prompt: promptOf(body) }, 'tokens', signal);
  return {
    tokens: ids,
    count: ids.length,
    max_model_len: client.model!.maxLength,
    token_strs: body.return_token_strs === true ? texts : null,
  };
}

export async function detokenize(client: DecoderClient, ids: number[], signal: AbortSignal) {
  return { prompt: (await client.ask({ kind: 'detokenize', ids }, 'text', signal)).text };
}

export function tokenizerInfoOf({ tokenizer, maxLength }: ServedModel) {
  const { names, vocabSize, chatTemplate } = tokenizer;
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    vocab_size: vocabSize,
    model_max_length: maxLength,
    ...names,
    chat_template: chatTemplate,
  };
}

function promptOf({
  prompt,
  messages,
  chat_template_kwargs: variables,
  add_generation_prompt: opens,
}: TokenizeRequest): PromptInput {
  if (messages == null) return { kind: 'text', text: prompt ?? '' };
  return { kind: 'chat', messages: templateMessages(messages), variables: variables ?? {}, opensAnswer: opens ?? true };
}
