/** The asking side of a thread: started when it is first asked, asked by promises, ended by force. */
import { Worker } from 'node:worker_threads';
import { UserError } from '../../base/user-error.js';
import { type Deferred, deferred } from '../../serve/worker/deferred.js';
import type { Answers, FromThread, Question } from './protocol.js';

export class Asker<A extends Answers, News = never> implements AsyncDisposable {
  readonly #script: URL;
  readonly #data: unknown;
  readonly #onNews: (news: News) => void;
  readonly #open = new Map<number, Deferred<unknown>>();
  #worker: Worker | null = null;
  #nextId = 0;

  /** @param script compiled, below dist/studio */
  constructor(script: string, data: unknown, onNews: (news: News) => void = () => {}) {
    this.#script = new URL(`../../../dist/studio/${script}`, import.meta.url);
    this.#data = data;
    this.#onNews = onNews;
  }

  /** Begins before there is a question. */
  start(): void {
    this.#worker ??= this.#begin();
  }

  /** @throws UserError where the question cannot be answered as it is; Error where the thread failed */
  ask<K extends keyof A & string>(kind: K, input: A[K]['input']): Promise<A[K]['value']> {
    this.start();
    const id = this.#nextId++;
    const answer = deferred<unknown>();
    this.#open.set(id, answer);
    this.#worker!.postMessage({ id, kind, input } satisfies Question);
    return answer.promise as Promise<A[K]['value']>;
  }

  /** Ends the thread, whatever it is at; the next question begins a new one. */
  async [Symbol.asyncDispose](): Promise<void> {
    const worker = this.#worker;
    this.#lose(new Error('the thread was ended'));
    await worker?.terminate();
  }

  #begin(): Worker {
    const worker = new Worker(this.#script, { workerData: this.#data });
    worker.unref();
    worker.on('message', (message: FromThread) => this.#receive(message));
    worker.on('error', (error) => this.#lose(error));
    worker.on('exit', () => {
      if (worker === this.#worker) this.#lose(new Error('the thread ended'));
    });
    return worker;
  }

  #receive(message: FromThread): void {
    if (message.kind === 'news') {
      this.#onNews(message.news as News);
      return;
    }
    const answer = this.#open.get(message.id);
    this.#open.delete(message.id);
    if (message.kind === 'answer') answer?.resolve(message.value);
    else answer?.reject(message.isUserError ? new UserError(message.message) : new Error(message.message));
  }

  #lose(error: unknown): void {
    this.#worker = null;
    for (const answer of this.#open.values()) answer.reject(error);
    this.#open.clear();
  }
}
