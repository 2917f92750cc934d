/**
 * One streamed request over a socket of its own, and what came of it. A client that goes away destroys the socket, as a closed
 * browser does.
 *
 * Every event is checked against the schema that the server describes itself with.
 */
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { Readable } from 'node:stream';
import { chatChunk } from 'looprpt/internal/serve/http/schemas/chat.js';
import { completion } from 'looprpt/internal/serve/http/schemas/completions.js';
import { readEvents } from 'looprpt/internal/serve/page/client/event-stream.js';
import { z } from 'zod';

/** A request of one text or several, as a client would write it. */
export interface StreamRequest {
  path: '/v1/completions' | '/v1/chat/completions';
  body: Readonly<Record<string, unknown>>;
}

/** One text of an answer, put together from its chunks. */
export interface StreamedText {
  text: string;
  tokenTexts: string[];
  loops: number[];
  finish: string | null;
}

export type Outcome =
  | { kind: 'done'; texts: StreamedText[]; firstTokenMs: number; tokensByUsage: number }
  /** Texts as far as they had come, empty ones before the last of them included. */
  | { kind: 'gone'; texts: StreamedText[] }
  | { kind: 'busy'; retryAfterSeconds: number }
  | { kind: 'failed'; message: string };

/** When a client loses patience: before any answer, or after so many events of it. */
export type Patience = { events: number } | 'endless';

const event = z.union([completion, chatChunk]);

/** @param server where it listens, such as http://127.0.0.1:8000 */
export async function streamOnce(server: URL, asked: StreamRequest, patience: Patience = 'endless'): Promise<Outcome> {
  const texts: StreamedText[] = [];
  const started = performance.now();
  let firstTokenMs = 0;
  let tokensByUsage = 0;
  const outgoing = send(server, asked);
  if (patience !== 'endless' && patience.events === 0) {
    // As soon as it is sent: the server may be anywhere with it.
    await once(outgoing, 'finish');
    outgoing.destroy();
    return { kind: 'gone', texts };
  }
  try {
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    if (answer.statusCode !== 200) return await refused(answer);
    let events = 0;
    for await (const value of readEvents(Readable.toWeb(answer) as ReadableStream<Uint8Array>)) {
      const { choices, usage } = event.parse(value);
      firstTokenMs ||= performance.now() - started;
      for (const choice of choices) addChunk(texts, choice);
      tokensByUsage += usage?.completion_tokens ?? 0;
      if (patience !== 'endless' && ++events >= patience.events) return { kind: 'gone', texts };
    }
    return { kind: 'done', texts, firstTokenMs, tokensByUsage };
  } catch (error) {
    return { kind: 'failed', message: error instanceof Error ? error.message : String(error) };
  } finally {
    outgoing.destroy();
  }
}

function send(server: URL, { path, body }: StreamRequest): ClientRequest {
  const text = JSON.stringify(body);
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
  const outgoing = request(new URL(path, server), { method: 'POST', agent: false, headers });
  // Whoever waits for it hears of it; one that is destroyed has nobody waiting.
  outgoing.on('error', () => {});
  outgoing.end(text);
  return outgoing;
}

async function refused(answer: IncomingMessage): Promise<Outcome> {
  const body = Buffer.concat(await answer.toArray()).toString();
  if (answer.statusCode === 429) return { kind: 'busy', retryAfterSeconds: Number(answer.headers['retry-after']) };
  return { kind: 'failed', message: `status ${answer.statusCode}: ${body}` };
}

type Chunk = z.output<typeof event>['choices'][number];

function addChunk(texts: StreamedText[], choice: Chunk): void {
  // A client may leave before the first chunk of an earlier text.
  while (texts.length <= choice.index) texts.push({ text: '', tokenTexts: [], loops: [], finish: null });
  const text = texts[choice.index]!;
  text.text += 'text' in choice ? choice.text : (choice.delta.content ?? '');
  text.tokenTexts.push(...(choice.token_texts ?? []));
  text.loops.push(...(choice.loops ?? []));
  text.finish = choice.finish_reason ?? text.finish;
}
