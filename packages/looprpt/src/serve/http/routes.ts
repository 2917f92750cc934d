/** Every route with what it takes and gives: the code is typed by these, and `/openapi.json` is written from them. */
import { createRoute, z } from '@hono/zod-openapi';
import { errorBody } from './errors.js';
import { chatCompletion, chatRequest } from './schemas/chat.js';
import { completion, completionRequest } from './schemas/completions.js';
import { health, model, modelList, readiness } from './schemas/models.js';
import { detokenized, detokenizeRequest, tokenized, tokenizeRequest, tokenizerInfo } from './schemas/tokens.js';

const json = <S extends z.ZodType>(schema: S) => ({ 'application/json': { schema } });
const error = (description: string) => ({ description, content: json(errorBody) });
const text = (type: string, description: string) => ({ description, content: { [type]: { schema: z.string() } } });

/** One server-sent event; the last one's data is `[DONE]`. @param chunk the component that the others' data is */
const events = (chunk: string) => {
  const contentSchema = { $ref: `#/components/schemas/${chunk}` };
  const told = { contentMediaType: 'application/json', contentSchema, description: 'a chunk, an error, or [DONE]' };
  return { 'text/event-stream': { schema: z.object({ data: z.string().openapi(told as object) }) } };
};

const KEY = [{ bearer: [] }];
const needsKey = { 401: error('no API key, or a wrong one') };
const needsModel = { ...needsKey, 503: error('the model is being loaded, or the server is going down') };
const generationErrors = {
  ...needsModel,
  400: error('the request cannot be met; param names the field'),
  404: error('no such model'),
  413: error('the body is too large'),
  415: error('the body is not JSON'),
  429: error('the queue is full; Retry-After says when to come again'),
  500: error('a fault of the server, or a model whose logits are no numbers'),
  504: error('the request took too long'),
};

export const completionsRoute = createRoute({
  method: 'post',
  path: '/v1/completions',
  summary: 'Continue one or several prompts',
  security: KEY,
  request: { body: { required: true, content: json(completionRequest) } },
  responses: {
    200: {
      description: 'the texts; with `stream`, chunks of the same shape as server-sent events',
      content: { ...json(completion), ...events('Completion') },
    },
    ...generationErrors,
  },
});

export const chatRoute = createRoute({
  method: 'post',
  path: '/v1/chat/completions',
  summary: 'Answer in a chat',
  security: KEY,
  request: { body: { required: true, content: json(chatRequest) } },
  responses: {
    200: {
      description: 'the answers; with `stream`, chunks as server-sent events',
      content: { ...json(chatCompletion), ...events('ChatCompletionChunk') },
    },
    ...generationErrors,
  },
});

const tokenErrors = {
  ...needsModel,
  400: generationErrors[400],
  404: generationErrors[404],
  413: generationErrors[413],
  415: generationErrors[415],
};

export const tokenizeRoute = createRoute({
  method: 'post',
  path: '/tokenize',
  summary: 'Token ids of a text or a chat',
  security: KEY,
  request: { body: { required: true, content: json(tokenizeRequest) } },
  responses: { 200: { description: 'the ids', content: json(tokenized) }, ...tokenErrors },
});

export const detokenizeRoute = createRoute({
  method: 'post',
  path: '/detokenize',
  summary: 'The text of token ids',
  security: KEY,
  request: { body: { required: true, content: json(detokenizeRequest) } },
  responses: { 200: { description: 'the text', content: json(detokenized) }, ...tokenErrors },
});

export const tokenizerInfoRoute = createRoute({
  method: 'get',
  path: '/tokenizer_info',
  summary: 'Special tokens and the chat template',
  security: KEY,
  responses: {
    200: { description: 'as a tokenizer_config.json names them', content: json(tokenizerInfo) },
    ...needsModel,
  },
});

export const modelsRoute = createRoute({
  method: 'get',
  path: '/v1/models',
  summary: 'The model that is served',
  security: KEY,
  responses: { 200: { description: 'a list of one', content: json(modelList) }, ...needsModel },
});

export const modelRoute = createRoute({
  method: 'get',
  path: '/v1/models/{model}',
  summary: 'The model that is served, by its id',
  security: KEY,
  request: { params: z.object({ model: z.string() }) },
  responses: { 200: { description: 'the model', content: json(model) }, 404: error('no such model'), ...needsModel },
});

export const healthRoute = createRoute({
  method: 'get',
  path: '/health',
  summary: 'Whether the process lives',
  responses: { 200: { description: 'it does', content: json(health) } },
});

export const readyRoute = createRoute({
  method: 'get',
  path: '/ready',
  summary: 'Whether requests should be sent here',
  responses: {
    200: { description: 'yes', content: json(readiness) },
    503: { description: 'not yet, or not any more', content: json(readiness) },
  },
});

export const metricsRoute = createRoute({
  method: 'get',
  path: '/metrics',
  summary: 'Metrics for Prometheus',
  security: KEY,
  responses: { 200: text('text/plain', 'in the text format'), ...needsKey },
});

export const descriptionRoute = createRoute({
  method: 'get',
  path: '/openapi.json',
  summary: 'This description',
  responses: { 200: { description: 'OpenAPI 3.1', content: json(z.looseObject({})) } },
});

export const pageRoute = createRoute({
  method: 'get',
  path: '/',
  summary: 'A page to try the model in a browser',
  responses: { 200: text('text/html', 'the page') },
});

export const pagePartRoute = createRoute({
  method: 'get',
  path: '/page/{part}',
  summary: 'A part of the page',
  request: { params: z.object({ part: z.string().describe('with its folders') }) },
  responses: { 200: text('text/plain', 'a script or a style sheet'), 404: error('no such part') },
});
