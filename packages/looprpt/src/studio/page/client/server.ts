/** The studio's server as its page sees it: JSON of a route, and what changes. What goes wrong is a `Trouble` with a sentence for people. */
import { readEvents } from '../../../serve/page/client/event-stream.js';

export class Trouble extends Error {
  /** 0 where the server did not answer. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export class Server {
  /** The API key; empty for none. */
  key = '';

  /** @throws Trouble; the signal's reason after an abort */
  async get<T>(path: string, query: Readonly<Record<string, string>> = {}, signal?: AbortSignal): Promise<T> {
    const response = await this.#ask(this.#address(path, query), signal ? { signal } : {});
    return (await response.json()) as T;
  }

  async post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', body: JSON.stringify(body), headers };
    const response = await this.#ask(path, signal ? { ...init, signal } : init);
    return (await response.json()) as T;
  }

  async postForText(path: string, body: unknown): Promise<string> {
    const headers = { 'content-type': 'application/json' };
    return (await this.#ask(path, { method: 'POST', body: JSON.stringify(body), headers })).text();
  }

  async remove(path: string): Promise<void> {
    await this.#ask(path, { method: 'DELETE' });
  }

  /** What changes, until the connection ends. */
  async *events(): AsyncGenerator<unknown, void> {
    const response = await this.#ask('/api/events', {});
    yield* readEvents(response.body!);
  }

  #address(path: string, query: Readonly<Record<string, string>>): string {
    const text = new URLSearchParams(query).toString();
    return text === '' ? path : `${path}?${text}`;
  }

  async #ask(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.key !== '') headers.set('authorization', `Bearer ${this.key}`);
    let response: Response;
    try {
      response = await fetch(path, { ...init, headers });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new Trouble(0, 'The studio does not answer. Start `looprpt studio` again; this page goes on by itself.');
    }
    if (response.ok) return response;
    const body = (await response.json().catch(() => null)) as { error?: { message?: string } } | null;
    throw new Trouble(response.status, body?.error?.message ?? `${response.status} ${response.statusText}`);
  }
}
