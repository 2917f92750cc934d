/** `/tokenize`, `/detokenize` and `/tokenizer_info`, with the fields by which lm-evaluation-harness and vLLM's clients know them. */
import { z } from '@hono/zod-openapi';
import { chatRequest } from './chat.js';
import { idList } from './list.js';

const MOST_IDS = 2 ** 20;
const model = chatRequest.shape.model;

export const tokenizeRequest = z
  .object({
    model,
    prompt: z.string().nullish().describe('a text'),
    messages: chatRequest.shape.messages.nullish().describe('or a chat, which is rendered first'),
    add_generation_prompt: chatRequest.shape.add_generation_prompt,
    chat_template_kwargs: chatRequest.shape.chat_template_kwargs,
    add_special_tokens: z.boolean().nullish().describe('not used: nothing is ever put around a text here'),
    return_token_strs: z.boolean().nullish().describe('the text of each token too'),
  })
  .refine(({ prompt, messages }) => (prompt == null) !== (messages == null), 'give either prompt or messages')
  .openapi('TokenizeRequest', {
    oneOf: [
      { required: ['prompt'], properties: { prompt: { type: 'string' } } },
      { required: ['messages'], properties: { messages: { type: 'array' } } },
    ],
  });

export type TokenizeRequest = z.output<typeof tokenizeRequest>;

export const tokenized = z
  .object({
    tokens: z.array(z.int()),
    count: z.int(),
    max_model_len: z.int().describe('most tokens of a text with its prompt'),
    token_strs: z.array(z.string()).nullable(),
  })
  .openapi('Tokenized');

export const detokenizeRequest = z
  .object({ model, tokens: idList({ most: MOST_IDS }).describe('token ids') })
  .openapi('DetokenizeRequest');

export const detokenized = z.object({ prompt: z.string() }).openapi('Detokenized');

export const tokenizerInfo = z
  .object({
    tokenizer_class: z.string(),
    vocab_size: z.int(),
    model_max_length: z.int(),
    bos_token: z.string().nullable(),
    eos_token: z.string().nullable().describe('the token that ends a document'),
    pad_token: z.string().nullable(),
    unk_token: z.string().nullable(),
    chat_template: z.string().nullable(),
  })
  .openapi('TokenizerInfo');
