/**
 * A generation request from admission to its last byte. Nothing is sent before the decoder has accepted the job, so that a
 * refusal has its status code; a fault after that is an event of the stream.
 */
import type { DecoderClient } from '../worker/client.js';
import type { Job } from '../worker/protocol.js';
import type { Admission } from './admission.js';
import { Answer } from './answer.js';
import type { Dialect } from './dialect.js';
import { ApiError } from './errors.js';
import { Hold } from './hold.js';
import type { Wants } from './job.js';
import type { Metrics } from './metrics.js';
import { eventStream } from './sse.js';
import { Stopwatch } from './stopwatch.js';

export interface GenerationContext {
  client: DecoderClient;
  admission: Admission;
  metrics: Metrics;
  /** The model's id for clients. */
  modelId: string;
  /** Most seconds from arrival to the last token. */
  requestSeconds: number;
  /** Is told of faults of ours, and of the request that met them. */
  onFault: (error: unknown, request: string) => void;
}

export interface GenerationRequest {
  job: Job;
  dialect: Dialect;
  wants: Wants;
  /** Aborts when the client goes away. */
  gone: AbortSignal;
  /** The request's name in answers and logs. */
  id: string;
}

/** @throws ApiError, JobRefused, DecoderFault */
export async function generate(context: GenerationContext, request: GenerationRequest): Promise<Response> {
  const { client, admission, metrics, modelId, requestSeconds: seconds } = context;
  const { job, dialect, wants, gone, id } = request;
  const watch = new Stopwatch(metrics);
  const hold = new Hold({ admission, metrics, seconds, texts: job.prompts.length * job.choices, gone });
  const end = (): void => {
    hold.end();
    watch.end();
  };
  try {
    const accepted = await client.submit(job, hold.signal);
    const { loops } = await client.loaded;
    const answer = new Answer(accepted, { job, dialect, wants, modelId, loops, metrics, watch });
    if (wants.stream)
      return eventStream(
        streamed(answer, end, (error) => context.onFault(error, id)),
        end,
      );
    const whole = await answer.whole();
    end();
    return Response.json(whole);
  } catch (error) {
    end();
    throw error;
  }
}

async function* streamed(
  answer: Answer,
  end: () => void,
  onFault: (error: unknown) => void,
): AsyncGenerator<unknown, void> {
  try {
    yield* answer.chunks();
  } catch (error) {
    const told = ApiError.of(error);
    if (told.status === 500) onFault(error);
    yield told.body;
  } finally {
    end();
  }
}
