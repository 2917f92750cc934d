/** `/v1/models`, and what the small routes answer. */
import { z } from '@hono/zod-openapi';

export const model = z
  .object({
    id: z.string(),
    object: z.literal('model'),
    created: z.int(),
    owned_by: z.string(),
    looprpt: z
      .object({
        loops: z.int().describe('loops of the model'),
        parameters: z.int(),
        dtype: z.string(),
        device: z.string(),
        max_length: z.int().describe('most tokens of a text with its prompt'),
        chat: z.boolean().describe('whether it has a chat template'),
        example: z.string().nullable().describe('a text of the task that the model was trained on, to be continued'),
        exit_threshold: z.number().nullable().describe('of requests that name none; null: always max_loops'),
        max_loops: z.int().describe('of requests that name none'),
      })
      .describe('extension'),
  })
  .openapi('Model');

export const modelList = z.object({ object: z.literal('list'), data: z.array(model) }).openapi('ModelList');

export const health = z.object({ status: z.literal('ok') }).openapi('Health');

export const readiness = z
  .object({ status: z.enum(['ready', 'loading', 'draining', 'stalled', 'failed']) })
  .openapi('Readiness');
