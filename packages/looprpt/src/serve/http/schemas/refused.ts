/**
 * Fields of OpenAI's API and of servers like this one that would change the answer, and that are not done here. A client that
 * sends one is told so; the values under which such a field changes nothing are taken. Fields that change nothing by their nature
 * (`metadata`, `store`, `service_tier`, …) are left alone, as all that nobody knows.
 */
import { isDeepStrictEqual } from 'node:util';
import { z } from '@hono/zod-openapi';

/** @param why in words for the client @param harmless values beside null under which nothing changes */
function refused(why: string, harmless: readonly unknown[] = []) {
  return z
    .unknown()
    .refine((value) => value == null || harmless.some((one) => isDeepStrictEqual(one, value)), `${why}; leave it out`)
    .optional()
    .openapi({ enum: [null, ...harmless], description: why });
}

const noGrammar = 'texts are not held to a grammar or a schema here';
const noSampler = 'this way of sampling is not among those here';
const noTools = 'the model here calls no tools';
const notMade = 'this is not part of answers here';

export const refusedFields = {
  response_format: refused(noGrammar, [{ type: 'text' }]),
  structured_outputs: refused(noGrammar),
  guided_json: refused(noGrammar),
  guided_regex: refused(noGrammar),
  guided_choice: refused(noGrammar),
  guided_grammar: refused(noGrammar),
  json_schema: refused(noGrammar),
  grammar: refused(noGrammar, ['']),
  use_beam_search: refused('texts are drawn here, not searched for', [false]),
  length_penalty: refused('it belongs to a search that is not done here', [1]),
  bad_words: refused('use logit_bias with token ids', [[]]),
  allowed_token_ids: refused('use logit_bias with token ids', [[]]),
  truncate_prompt_tokens: refused('prompts are not cut here'),
  prompt_logprobs: refused('use /v1/completions with echo and logprobs'),
  return_token_ids: refused(notMade, [false]),
  return_tokens_as_token_ids: refused(notMade, [false]),
  typical_p: refused(noSampler, [1]),
  mirostat: refused(noSampler, [0]),
  dry_multiplier: refused(noSampler, [0]),
  xtc_probability: refused(noSampler, [0]),
  dynatemp_range: refused(noSampler, [0]),
} as const;

export const refusedChatFields = {
  tools: refused(noTools, [[]]),
  tool_choice: refused(noTools, ['none', 'auto']),
  functions: refused(noTools, [[]]),
  function_call: refused(noTools, ['none', 'auto']),
  modalities: refused('answers are text here', [['text']]),
  audio: refused('answers are text here'),
  web_search_options: refused('nothing is searched for here'),
  reasoning_effort: refused('templates that think are switched by chat_template_kwargs', ['none']),
  verbosity: refused('answers are as long as the model makes them', ['medium']),
  chat_template: refused('chats are rendered by the template of the model'),
  documents: refused('give documents as messages', [[]]),
  continue_final_message: refused('use /v1/completions to continue a text', [false]),
  echo: refused('use /v1/completions to have the prompt back', [false]),
} as const;
