/**
 * Which host names a server without a key answers to: those of this machine to itself. A page elsewhere may bring a browser to ask
 * a name of its own that leads here; then the name is all that tells it from a user of this machine.
 */
import type { MiddlewareHandler } from 'hono';
import { ApiError } from './errors.js';

/** `localhost`, names below it, and the addresses of loopback; an IPv6 address with or without its brackets. */
export function isLoopback(name: string): boolean {
  const bare = name
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
  return bare === 'localhost' || bare.endsWith('.localhost') || bare === '::1' || /^127(\.\d{1,3}){3}$/.test(bare);
}

/** @throws ApiError 403 for every other name */
export const loopbackOnly: MiddlewareHandler = async (c, next) => {
  if (!isLoopback(hostOf(c.req.header('host') ?? ''))) {
    const message =
      'this server has no API key and answers to localhost alone; set LOOPRPT_API_KEY, or start it with --allow-without-key';
    throw new ApiError(403, 'permission_error', message, { code: 'host_not_allowed' });
  }
  await next();
};

/** The name in a Host header, without the port. */
function hostOf(header: string): string {
  return /^(\[[^\]]*\]|[^:]*)(:\d*)?$/.exec(header)?.[1] ?? '';
}
