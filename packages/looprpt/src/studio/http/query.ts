/** What the routes take: one schema each, and one sentence where a request does not fit. */
import type { Context } from 'hono';
import { z } from 'zod';
import { explainConfigError } from '../../base/settings/config-error.js';
import { ApiError } from '../../serve/http/errors.js';

/** Between commas in an address, or an array in a body. */
const list = z
  .union([z.string().transform((text) => text.split(',').filter((part) => part !== '')), z.array(z.string())])
  .pipe(z.array(z.string().max(200)).max(2000));

export const curvesQuery = z.strictObject({
  runs: list.describe('ids'),
  columns: list.describe('names of columns'),
  points: z.coerce.number().int().min(1).max(2000).default(400).describe('buckets of each run at most'),
  from: z.coerce.number().int().min(1).optional().describe('the first step'),
  to: z.coerce.number().int().min(1).optional().describe('the last step'),
});

/** @throws ApiError 400 with what is wrong */
export function parsed<S extends z.ZodType>(schema: S, given: unknown): z.output<S> {
  const checked = schema.safeParse(given);
  if (checked.success) return checked.data;
  const field = checked.error.issues[0]!.path[0];
  throw ApiError.invalid(
    explainConfigError(schema, given, checked.error),
    field === undefined ? null : String(field),
    'invalid_type',
  );
}

/** @throws ApiError 400 where the body is no JSON */
export async function jsonBody(c: Context): Promise<unknown> {
  try {
    return await c.req.json();
  } catch {
    throw ApiError.invalid('the body is not JSON', null, 'invalid_request');
  }
}
