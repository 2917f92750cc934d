/**
 * The routes put together: who may come in, what is answered, and one shape for everything that goes wrong. No sockets and no
 * threads here.
 */
import { OpenAPIHono, type z } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { routePath } from 'hono/route';
import { explainConfigError } from '../../base/settings/config-error.js';
import { looprptVersion } from '../../base/versions.js';
import { page } from '../page/page.js';
import type { ServedModel } from '../worker/protocol.js';
import { requireKey } from './auth.js';
import { brief } from './brief.js';
import { crossOrigin } from './cross-origin.js';
import { CHAT, COMPLETIONS } from './dialect.js';
import { ApiError } from './errors.js';
import { type GenerationContext, generate } from './generation.js';
import { loopbackOnly } from './host-name.js';
import { chatJob, completionJob, wantsOf } from './job.js';
import { type RequestIdVariables, requestId } from './request-id.js';
import * as routes from './routes.js';
import { chatChunk, chatRequest } from './schemas/chat.js';
import { completionRequest } from './schemas/completions.js';
import { detokenizeRequest, tokenizeRequest } from './schemas/tokens.js';
import { detokenize, tokenize, tokenizerInfoOf } from './tokens.js';

/** `stalled`: the decoder's thread has not been heard of for too long; it may come back. */
export type Phase = 'loading' | 'ready' | 'draining' | 'stalled' | 'failed';

export interface AppContext extends GenerationContext {
  phase: () => Phase;
  apiKey: string | null;
  /** Answer to no host names but those of this machine to itself. */
  loopbackOnly: boolean;
  /** Origins whose pages may use the server. */
  allowOrigins: readonly string[];
  maxBodyBytes: number;
  /** For requests that name none, 0 … 2^53 − 1. */
  nextSeed: () => number;
}

const LOADING_SECONDS = 2;
/** OpenAPI has no word for the rest of a path. */
const PAGE_PARTS = routes.pagePartRoute.path.replace('{part}', ':part{.+}');

/** Routes that ask for the key, and for a model that is there. */
const GUARDED = [
  '/v1/*',
  ...[routes.tokenizeRoute, routes.detokenizeRoute, routes.tokenizerInfoRoute].map(({ path }) => path),
];

export function createApp(context: AppContext): OpenAPIHono<{ Variables: RequestIdVariables }> {
  const { client, metrics, modelId, apiKey, maxBodyBytes, nextSeed } = context;
  const app = new OpenAPIHono<{ Variables: RequestIdVariables }>({
    defaultHook: (checked, c) => {
      // The body as it came is there too, though its type does not say so.
      if (!checked.success) complain((checked as { data?: unknown }).data, checked.error, c.req.path);
    },
  });
  const born = Math.floor(Date.now() / 1000);

  app.use(requestId);
  app.use(counted(context));
  if (context.loopbackOnly) app.use(loopbackOnly);
  app.use(crossOrigin(context.allowOrigins));
  app.use('/metrics', requireKey(apiKey));
  for (const path of GUARDED) {
    app.use(path, requireKey(apiKey));
    app.use(path, readyOnly(context));
    app.use(path, plainBody);
    app.use(path, bodyLimit({ maxSize: maxBodyBytes, onError: () => tooLarge(maxBodyBytes) }));
  }

  app.openapi(routes.completionsRoute, (c) => {
    const body = c.req.valid('json');
    checkModel(context, body.model);
    const job = completionJob(body, nextSeed);
    return generate(context, {
      job,
      dialect: COMPLETIONS,
      wants: wantsOf(body),
      gone: c.req.raw.signal,
      id: c.get('requestId'),
    });
  });
  app.openapi(routes.chatRoute, (c) => {
    const body = c.req.valid('json');
    checkModel(context, body.model);
    const job = chatJob(body, nextSeed);
    return generate(context, {
      job,
      dialect: CHAT,
      wants: wantsOf(body),
      gone: c.req.raw.signal,
      id: c.get('requestId'),
    });
  });
  app.openapi(routes.tokenizeRoute, async (c) => {
    const body = c.req.valid('json');
    checkModel(context, body.model);
    return c.json(await tokenize(client, body, c.req.raw.signal), 200);
  });
  app.openapi(routes.detokenizeRoute, async (c) => {
    const { model, tokens } = c.req.valid('json');
    checkModel(context, model);
    return c.json(await detokenize(client, tokens, c.req.raw.signal), 200);
  });
  app.openapi(routes.tokenizerInfoRoute, (c) => c.json(tokenizerInfoOf(client.model!), 200));
  app.openapi(routes.modelsRoute, (c) =>
    c.json({ object: 'list' as const, data: [described(modelId, born, client.model!)] }, 200),
  );
  app.openapi(routes.modelRoute, (c) => {
    checkModel(context, c.req.valid('param').model);
    return c.json(described(modelId, born, client.model!), 200);
  });
  app.openapi(routes.healthRoute, (c) => c.json({ status: 'ok' as const }, 200));
  app.openapi(routes.readyRoute, (c) => {
    const status = context.phase();
    return c.json({ status }, status === 'ready' ? 200 : 503);
  });
  app.openapi(routes.metricsRoute, async (c) =>
    c.body(await metrics.text(), 200, { 'content-type': metrics.contentType }),
  );
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' });
  app.openAPIRegistry.register('ChatCompletionChunk', chatChunk);
  app.openAPIRegistry.registerPath(routes.descriptionRoute);
  app.get(routes.descriptionRoute.path, (c) => c.json(describe(app, apiKey !== null)));
  for (const route of [routes.pageRoute, routes.pagePartRoute]) app.openAPIRegistry.registerPath(route);
  app.on('GET', [routes.pageRoute.path, PAGE_PARTS], (c) => {
    const file = page(c.req.path);
    if (file === null) throw notFound(c.req.method, c.req.path);
    return c.body(file.body, 200, { ...file.headers });
  });

  for (const [path, methods] of methodsOf(app)) app.all(path, (c) => notAllowed(c.req.method, methods).response());
  app.notFound((c) => notFound(c.req.method, c.req.path).response());
  app.onError((error, c) => {
    const told = ApiError.of(error);
    if (told.status === 500) context.onFault(error, c.get('requestId'));
    return told.response();
  });
  return app;
}

/** Compressed bodies would have to be made larger before their size is known. */
const plainBody: MiddlewareHandler = async (c, next) => {
  const encoding = c.req.header('content-encoding') ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') {
    const message = 'this server reads no compressed bodies; send it without Content-Encoding';
    throw new ApiError(415, 'invalid_request_error', message, { code: 'unsupported_encoding' });
  }
  await next();
};

function counted({ metrics }: AppContext): MiddlewareHandler {
  return async (c, next) => {
    await next();
    const route = routePath(c, -1);
    metrics.requests.inc({ route: route.includes('*') ? 'other' : route, status: c.res.status });
  };
}

function readyOnly({ phase }: AppContext): MiddlewareHandler {
  return async (_, next) => {
    const now = phase();
    if (now !== 'ready') {
      const words = {
        loading: 'the model is being loaded',
        draining: 'the server is going down',
        stalled: 'the decoder does not come back from its work',
        failed: 'the decoder is gone',
      };
      const more = { code: now, retryAfter: LOADING_SECONDS };
      throw new ApiError(503, 'service_unavailable', words[now], more);
    }
    await next();
  };
}

function checkModel({ modelId }: AppContext, asked: string | null | undefined): void {
  if (asked != null && asked !== modelId)
    throw new ApiError(404, 'invalid_request_error', `no model "${brief(asked)}" here; this server has "${modelId}"`, {
      param: 'model',
      code: 'model_not_found',
    });
}

/** Says what is wrong with a body, the first thing first. */
function complain(body: unknown, error: z.ZodError, path: string): never {
  const field = error.issues[0]!.path[0];
  const message = explainConfigError(SCHEMAS[path] ?? completionRequest, body, error);
  throw ApiError.invalid(message, field === undefined ? null : brief(String(field)), 'invalid_type');
}

const SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  [routes.completionsRoute.path]: completionRequest,
  [routes.chatRoute.path]: chatRequest,
  [routes.tokenizeRoute.path]: tokenizeRequest,
  [routes.detokenizeRoute.path]: detokenizeRequest,
};

function tooLarge(bytes: number): Response {
  const message = `the body is larger than ${bytes} bytes, this server's limit`;
  return new ApiError(413, 'invalid_request_error', message, { code: 'request_too_large' }).response();
}

function notFound(method: string, path: string): ApiError {
  const instead = /^\/v1\/responses(\/|$)/.test(path) ? '; chats are answered at POST /v1/chat/completions' : '';
  const message = `there is no ${method} ${brief(path)}${instead}`;
  return new ApiError(404, 'invalid_request_error', message, { code: 'unknown_url' });
}

/** @returns for each path with a route the methods that it has */
function methodsOf({ routes: all }: OpenAPIHono<{ Variables: RequestIdVariables }>): Map<string, string[]> {
  const methods = new Map<string, string[]>();
  for (const { method, path } of all) {
    // A GET route answers HEAD too; ALL is middleware.
    const names = method === 'GET' ? ['GET', 'HEAD'] : method === 'ALL' ? [] : [method];
    if (names.length > 0) methods.set(path, [...new Set([...(methods.get(path) ?? []), ...names])]);
  }
  return methods;
}

function notAllowed(method: string, allow: readonly string[]): ApiError {
  const message = `${brief(method)} is not for this path; it answers ${allow.join(' and ')}`;
  return new ApiError(405, 'invalid_request_error', message, { code: 'method_not_allowed', allow });
}

function described(id: string, created: number, served: ServedModel) {
  const { loops, parameters, dtype, device, maxLength, hasChat, example, exitThreshold, maxLoops } = served;
  return {
    id,
    object: 'model' as const,
    created,
    owned_by: 'looprpt',
    looprpt: {
      loops,
      parameters,
      dtype,
      device,
      max_length: maxLength,
      chat: hasChat,
      example,
      exit_threshold: exitThreshold,
      max_loops: maxLoops,
    },
  };
}

/** A key that nobody asks for is not in the description. */
function describe(app: OpenAPIHono<{ Variables: RequestIdVariables }>, hasKey: boolean) {
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'looprpt serve', version: looprptVersion(), description: "OpenAI's API on a looped language model" },
  });
  if (hasKey) return document;
  const operations = Object.values(document.paths ?? {}).flatMap((path) => [path.get, path.post]);
  for (const operation of operations) {
    delete operation?.security;
    delete operation?.responses?.['401'];
  }
  delete document.components?.securitySchemes;
  return document;
}
