/**
 * Pages of other origins: refused unless the server was started with their names. Their preflights are answered either way, and
 * what is not allowed says how it would be.
 */
import type { Context, MiddlewareHandler } from 'hono';
import { ApiError } from './errors.js';

const METHODS = 'GET, POST, OPTIONS';
const EXPOSED = 'x-request-id, retry-after';
const PREFLIGHT_SECONDS = 600;

/** @param allowed origins such as `http://localhost:3000`; `*` is any */
export function crossOrigin(allowed: readonly string[]): MiddlewareHandler {
  const isAny = allowed.includes('*');
  return async (c, next) => {
    const origin = c.req.header('origin');
    if (origin === undefined) return next();
    const isAllowed = isAny || allowed.includes(origin);
    if (isPreflight(c)) {
      if (!isAllowed) throw notAllowed();
      return c.body(null, 204, {
        ...grant(origin),
        'access-control-allow-methods': METHODS,
        'access-control-allow-headers': wantedHeaders(c),
        'access-control-max-age': String(PREFLIGHT_SECONDS),
      });
    }
    await next();
    if (!isAllowed) return;
    for (const [name, value] of Object.entries(grant(origin))) c.res.headers.append(name, value);
    c.res.headers.set('access-control-expose-headers', EXPOSED);
  };
}

function isPreflight(c: Context): boolean {
  return c.req.method === 'OPTIONS' && c.req.header('access-control-request-method') !== undefined;
}

function grant(origin: string): Record<string, string> {
  return { 'access-control-allow-origin': origin, vary: 'origin' };
}

/** A list of names, as a browser sends it; anything else is not given back. */
function wantedHeaders(c: Context): string {
  const wanted = c.req.header('access-control-request-headers') ?? '';
  return /^[\w\-, ]{1,1000}$/.test(wanted) ? wanted : 'authorization, content-type';
}

function notAllowed(): ApiError {
  const message =
    'pages of this origin may not use this server; start it with --allow-origin and the origin of the page';
  return new ApiError(403, 'permission_error', message, { code: 'origin_not_allowed' });
}
