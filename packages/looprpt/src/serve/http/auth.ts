/** The API key: `Authorization: Bearer KEY`, compared in a time that says nothing of how much of it is right. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { ApiError } from './errors.js';

/** @param key null lets everyone in */
export function requireKey(key: string | null): MiddlewareHandler {
  const expected = key === null ? null : digest(key);
  return async (c, next) => {
    if (expected !== null) {
      const given = /^Bearer +(.+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
      if (given === undefined)
        throw new ApiError(401, 'authentication_error', 'an API key is needed: send "Authorization: Bearer KEY"', {
          code: 'missing_api_key',
        });
      if (!timingSafeEqual(digest(given), expected))
        throw new ApiError(401, 'authentication_error', 'the API key is not the right one', {
          code: 'invalid_api_key',
        });
    }
    await next();
  };
}

/** Digests are equally long whatever the key, which the comparison needs. */
function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
