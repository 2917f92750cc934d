/**
 * The studio's routes put together: who may come in, by the server's own rules; the page; the routes of each part. What no part answers
 * is a 404. No sockets and no threads here.
 */
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { UserError } from '../../base/user-error.js';
import { requireKey } from '../../serve/http/auth.js';
import { brief } from '../../serve/http/brief.js';
import { crossOrigin } from '../../serve/http/cross-origin.js';
import { ApiError } from '../../serve/http/errors.js';
import { loopbackOnly } from '../../serve/http/host-name.js';
import type { Fetch } from '../../serve/http/listener.js';
import { type RequestIdVariables, requestId } from '../../serve/http/request-id.js';
import { studioPage } from './page.js';

export type StudioApp = Hono<{ Variables: RequestIdVariables }>;
export type StudioContext = Context<{ Variables: RequestIdVariables }>;

export interface AppOptions {
  apiKey: string | null;
  /** Answer to no host names but those of this machine to itself. */
  loopbackOnly: boolean;
  /** A part of the studio adds its routes below /api. */
  parts: readonly ((app: StudioApp) => void)[];
  /** Answers the API of a served model; null where there is none. */
  served: Fetch | null;
  onFault: (error: unknown, request: string) => void;
}

const MOST_BYTES = 1 << 20;

export function createStudioApp({ apiKey, loopbackOnly: isLocal, parts, served, onFault }: AppOptions): StudioApp {
  const app: StudioApp = new Hono();
  app.use(requestId);
  if (isLocal) app.use(loopbackOnly);
  app.use(crossOrigin([]));
  app.use('/api/*', requireKey(apiKey));
  app.use('/api/*', jsonOnly);
  app.use('/api/*', bodyLimit({ maxSize: MOST_BYTES, onError: () => tooLarge() }));
  for (const part of parts) part(app);
  app.get('/health', (c) => c.json({ status: 'ok' }));
  if (served !== null) for (const path of ['/v1/*', '/metrics', '/ready']) app.all(path, (c) => served(c.req.raw));
  app.get('*', (c) => {
    const file = studioPage(c.req.path);
    if (file === null) throw notFound(c);
    return c.body(file.body, 200, { ...file.headers });
  });
  app.notFound((c) => notFound(c).response());
  app.onError((error, c) => {
    const told = error instanceof UserError ? ApiError.invalid(error.message) : ApiError.of(error);
    if (told.status === 500) onFault(error, c.get('requestId'));
    return told.response();
  });
  return app;
}

/** A page of another origin can send a form without asking first; JSON it cannot. */
const jsonOnly: MiddlewareHandler = async (c, next) => {
  const type = c.req.header('content-type')?.split(';')[0]?.trim().toLowerCase();
  if (c.req.method === 'POST' && type !== 'application/json')
    throw new ApiError(415, 'invalid_request_error', 'send the body as Content-Type: application/json', {
      code: 'invalid_request',
    });
  await next();
};

function tooLarge(): Response {
  const message = `the body is larger than ${MOST_BYTES} bytes`;
  return new ApiError(413, 'invalid_request_error', message, { code: 'request_too_large' }).response();
}

function notFound(c: StudioContext): ApiError {
  const message = `there is no ${c.req.method} ${brief(c.req.path)}`;
  return new ApiError(404, 'invalid_request_error', message, { code: 'unknown_url' });
}
