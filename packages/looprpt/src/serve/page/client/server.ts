/**
 * The server as the page sees it: which model it has, and one streamed request. What goes wrong is a `ServerError` whose kind
 * says what the reader can do about it.
 */
import type { z } from '@hono/zod-openapi';
import type { errorBody } from '../../http/errors.js';
import type { ChatChunkChoice } from '../../http/schemas/chat.js';
import type { CompletionChoice } from '../../http/schemas/completions.js';
import type { modelList } from '../../http/schemas/models.js';
import { readEvents } from './event-stream.js';

export type Model = z.output<typeof modelList>['data'][number];

export interface Message {
  role: 'user' | 'assistant';
  content: string;
}

/** What is asked: a conversation to answer, or a text to continue. */
export type Prompt = { mode: 'chat'; messages: readonly Message[] } | { mode: 'complete'; text: string };

export interface Settings {
  /** All loops, with drafts; else the exit threshold counts. */
  speculate: boolean;
  exitThreshold: number;
  maxLoops: number;
  temperature: number;
  maxTokens: number;
  seed: number;
}

/** A token's text, and the loops that it took; loops are null for text that no single token stands for. */
export interface Piece {
  text: string;
  loops: number | null;
  /** The loop at whose glance it was right already; null where it was not, or nobody looked. */
  drafted: number | null;
}

export interface Chunk {
  pieces: Piece[];
  /** Why the text ended; null while it goes on. */
  finish: string | null;
}

export type Trouble = 'away' | 'key' | 'loading' | 'busy' | 'refused' | 'broken';

export class ServerError extends Error {
  readonly kind: Trouble;

  constructor(kind: Trouble, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** @param key the API key; empty for none */
export async function readModel(key: string): Promise<Model> {
  const response = await ask('/v1/models', { headers: headersOf(key) });
  const { data } = (await response.json()) as z.output<typeof modelList>;
  const model = data[0];
  if (!model) throw new ServerError('refused', 'The server has no model.');
  return model;
}

/**
 * Streams an answer; aborting `signal` hangs up, and the server stops the work.
 * @throws ServerError; the signal's reason after an abort
 */
export async function* stream(
  model: Model,
  prompt: Prompt,
  settings: Settings,
  { key, signal }: { key: string; signal: AbortSignal },
): AsyncGenerator<Chunk, void> {
  const response = await ask(prompt.mode === 'chat' ? '/v1/chat/completions' : '/v1/completions', {
    method: 'POST',
    headers: { ...headersOf(key), 'content-type': 'application/json' },
    body: JSON.stringify(requestBody(model, prompt, settings)),
    signal,
  });
  try {
    for await (const event of readEvents(response.body!)) yield chunkOf(event);
  } catch (error) {
    if (signal.aborted || error instanceof ServerError) throw error;
    throw new ServerError('broken', 'The connection broke off in the middle of the answer.');
  }
}

export function requestBody(model: Model, prompt: Prompt, settings: Settings): Record<string, unknown> {
  return {
    model: model.id,
    ...(prompt.mode === 'chat' ? { messages: prompt.messages } : { prompt: prompt.text }),
    stream: true,
    temperature: settings.temperature,
    max_tokens: settings.maxTokens,
    seed: settings.seed,
    loop: {
      report: true,
      max_loops: settings.maxLoops,
      ...(settings.speculate ? { speculate: true } : { exit_threshold: settings.exitThreshold }),
    },
  };
}

function headersOf(key: string): Record<string, string> {
  return key === '' ? {} : { authorization: `Bearer ${key}` };
}

async function ask(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ServerError('away', 'The server does not answer. Start it again, then try once more.');
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response: Response): Promise<ServerError> {
  const { status } = response;
  if (status === 401) return new ServerError('key', 'The server asks for an API key, or does not know this one.');
  if (status === 429) {
    const seconds = Number(response.headers.get('retry-after'));
    const wait = seconds > 0 ? `in ${seconds} ${seconds === 1 ? 'second' : 'seconds'}` : 'in a moment';
    return new ServerError('busy', `The server is busy: its queue is full. Try again ${wait}.`);
  }
  const body: unknown = await response.json().catch(() => null);
  if (codeOf(body) === 'loading') return new ServerError('loading', 'The model is being loaded.');
  return new ServerError('refused', `The server refused (${status}): ${messageOf(body) ?? response.statusText}`);
}

/** A chunk of either endpoint. @throws ServerError when the event is an error */
export function chunkOf(event: unknown): Chunk {
  const message = messageOf(event);
  if (message !== undefined) throw new ServerError('refused', `The server gave up: ${message}`);
  const choice = (event as { choices: (CompletionChoice | ChatChunkChoice)[] }).choices[0];
  if (!choice) return { pieces: [], finish: null };
  const text = 'text' in choice ? choice.text : (choice.delta.content ?? '');
  return { pieces: piecesOf(text, choice), finish: choice.finish_reason };
}

/** The text cut at its tokens; what no token claims stands alone at the end. */
function piecesOf(
  text: string,
  { loops = [], token_texts: texts = [], drafted = [] }: Pick<CompletionChoice, 'loops' | 'token_texts' | 'drafted'>,
): Piece[] {
  const pieces: Piece[] = loops.map((loop, i) => ({ text: texts[i] ?? '', loops: loop, drafted: drafted[i] ?? null }));
  const claimed = texts.join('');
  if (text === claimed) return pieces;
  if (text.startsWith(claimed)) return [...pieces, { text: text.slice(claimed.length), loops: null, drafted: null }];
  return [...pieces.map((piece) => ({ ...piece, text: '' })), { text, loops: null, drafted: null }];
}

function codeOf(body: unknown): string | null | undefined {
  return (body as Partial<z.output<typeof errorBody>> | null)?.error?.code;
}

function messageOf(body: unknown): string | undefined {
  return (body as Partial<z.output<typeof errorBody>> | null)?.error?.message;
}
