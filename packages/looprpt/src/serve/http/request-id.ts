/** A name for every request, in every answer and in what is logged of faults: the client's own where it is fit to be one. */
import { randomUUID } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';

export const REQUEST_ID = 'x-request-id';
const FIT = /^[\w.:-]{1,128}$/;

export interface RequestIdVariables {
  requestId: string;
}

export const requestId: MiddlewareHandler<{ Variables: RequestIdVariables }> = async (c, next) => {
  const given = c.req.header(REQUEST_ID);
  const id = given !== undefined && FIT.test(given) ? given : randomUUID();
  c.set('requestId', id);
  await next();
  c.res.headers.set(REQUEST_ID, id);
};
