/** Errors as OpenAI's clients know them: a status code and `{error: {message, type, param, code}}`. */
import { z } from '@hono/zod-openapi';
import { HTTPException } from 'hono/http-exception';
import { DecoderFault, JobRefused } from '../worker/client.js';
import { brief } from './brief.js';

export const errorBody = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable().describe("the request's field at fault"),
      code: z.string().nullable(),
    }),
  })
  .openapi('Error');

export type ErrorBody = z.output<typeof errorBody>;

type ErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'permission_error'
  | 'rate_limit_error'
  | 'service_unavailable'
  | 'timeout_error'
  | 'server_error';

const LONGEST = 400;

/** What goes wrong on purpose; everything else that is thrown is a 500. */
export class ApiError extends Error {
  readonly status: number;
  readonly body: ErrorBody;
  /** Seconds after which to try again. */
  readonly retryAfter: number | undefined;
  /** Methods that the path has. */
  readonly #allow: readonly string[] | undefined;

  constructor(
    status: number,
    type: ErrorType,
    message: string,
    more: { param?: string | null; code?: string; retryAfter?: number; allow?: readonly string[] } = {},
  ) {
    super(message);
    this.status = status;
    // Whatever the client's own names in it are.
    this.body = {
      error: { message: brief(message, LONGEST), type, param: more.param ?? null, code: more.code ?? null },
    };
    this.retryAfter = more.retryAfter;
    this.#allow = more.allow;
  }

  static invalid(message: string, param: string | null = null, code = 'invalid_value'): ApiError {
    return new ApiError(400, 'invalid_request_error', message, { param, code });
  }

  response(): Response {
    const headers = new Headers();
    if (this.retryAfter !== undefined) headers.set('retry-after', String(this.retryAfter));
    if (this.#allow !== undefined) headers.set('allow', this.#allow.join(', '));
    return Response.json(this.body, { status: this.status, headers });
  }

  /** What became of a request, from whatever was thrown. */
  static of(error: unknown): ApiError {
    if (error instanceof ApiError) return error;
    // Thrown by the framework: a body that is no JSON, or of another type.
    if (error instanceof HTTPException) {
      const message = error.status === 415 ? 'send the body as Content-Type: application/json' : brief(error.message);
      return new ApiError(error.status, 'invalid_request_error', message, { code: 'invalid_request' });
    }
    if (error instanceof JobRefused) return ApiError.invalid(error.message, error.refusal.param, error.refusal.code);
    if (error instanceof DecoderFault && error.isModel)
      return new ApiError(500, 'server_error', error.message, { code: 'model_fault' });
    // The decoder's own words are for its log: they may hold paths.
    const message =
      error instanceof DecoderFault ? 'the decoder failed while it made this text' : 'a fault of the server';
    return new ApiError(500, 'server_error', message, { code: 'internal_error' });
  }
}
