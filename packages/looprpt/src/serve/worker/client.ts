/**
 * The server's side of the protocol: a job in, its news as an asynchronous stream. Knows nothing of HTTP, nor of what is at the
 * other end of its port.
 */
import assert from 'node:assert/strict';
import { UserError } from '../../base/user-error.js';
import { type Deferred, deferred } from './deferred.js';
import type {
  Answer,
  DecoderState,
  FromDecoder,
  Job,
  JobId,
  JobNews,
  PromptNews,
  Question,
  Refusal,
  ServedModel,
  TextNews,
  ToDecoder,
} from './protocol.js';

/** Either end of a `MessageChannel`, or a `Worker`. */
export interface DecoderPort {
  postMessage(message: ToDecoder): void;
  on(event: 'message', listener: (message: FromDecoder) => void): unknown;
}

/** A job that cannot be met. */
export class JobRefused extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.message);
  }
}

/** A fault of the decoder while a job was under way. */
export class DecoderFault extends Error {
  /** @param isModel the model is at fault, and the message is for clients */
  constructor(
    message: string,
    readonly isModel: boolean,
  ) {
    super(message);
  }
}

/** A job that was accepted. */
export interface AcceptedJob {
  prompts: readonly PromptNews[];
  /** Of all its texts, as they are made; ends after the last one's end, or where the job is cancelled. @throws DecoderFault */
  news: AsyncIterable<TextNews>;
}

export class DecoderClient {
  readonly #port: DecoderPort;
  readonly #jobs = new Map<JobId, JobStream>();
  readonly #questions = new Map<JobId, Deferred<Answer>>();
  readonly #loaded = deferred<ServedModel>();
  #model: ServedModel | null = null;
  #state: DecoderState = { waiting: 0, running: 0, pages: 0, pagesUsed: 0, pagesKept: 0, tensors: 0 };
  #fault: Error | null = null;
  #nextId = 0;
  #heard = 0;

  /** @param onRemark is told what people may want to know while the model is loaded */
  constructor(port: DecoderPort, onRemark: (line: string) => void = () => {}) {
    this.#port = port;
    port.on('message', (message) => this.#receive(message, onRemark));
  }

  /** The model once it is there. @throws UserError where it cannot be served */
  get loaded(): Promise<ServedModel> {
    return this.#loaded.promise;
  }
  /** null before it is loaded. */
  get model(): ServedModel | null {
    return this.#model;
  }
  /** As it stood when the decoder last said something. */
  get state(): DecoderState {
    return this.#state;
  }
  get fault(): Error | null {
    return this.#fault;
  }
  /** Messages of the decoder so far. */
  get heard(): number {
    return this.#heard;
  }

  /** Asks for a word, whatever it is. */
  ping(): void {
    this.#port.postMessage({ kind: 'ping' });
  }

  /**
   * @param signal cancels the job, before or after it is accepted
   * @throws JobRefused, DecoderFault, or the signal's reason
   */
  async submit(job: Job, signal: AbortSignal): Promise<AcceptedJob> {
    signal.throwIfAborted();
    if (this.#fault) throw this.#fault;
    const id = this.#nextId++;
    const stream = new JobStream(job.prompts.length * job.choices);
    this.#jobs.set(id, stream);
    const cancel = (): void => {
      this.#port.postMessage({ kind: 'cancel', id });
      stream.end(signal.reason);
    };
    signal.addEventListener('abort', cancel, { once: true });
    void stream.ended.then(() => {
      this.#jobs.delete(id);
      signal.removeEventListener('abort', cancel);
    });
    this.#port.postMessage({ kind: 'submit', id, job });
    return { prompts: await stream.accepted, news: stream };
  }

  /** @throws JobRefused, DecoderFault, or the signal's reason */
  async ask<K extends Answer['kind']>(
    question: Question,
    kind: K,
    signal: AbortSignal,
  ): Promise<Extract<Answer, { kind: K }>> {
    signal.throwIfAborted();
    if (this.#fault) throw this.#fault;
    const id = this.#nextId++;
    const answer = deferred<Answer>();
    this.#questions.set(id, answer);
    const cancel = (): void => {
      this.#port.postMessage({ kind: 'cancel', id });
      answer.reject(signal.reason);
    };
    signal.addEventListener('abort', cancel, { once: true });
    try {
      this.#port.postMessage({ kind: 'ask', id, question });
      const said = await answer.promise;
      assert(said.kind === kind, 'another answer than asked for');
      return said as Extract<Answer, { kind: K }>;
    } finally {
      signal.removeEventListener('abort', cancel);
      this.#questions.delete(id);
    }
  }

  /** The decoder is gone: nothing of what is under way will end. */
  lose(fault: Error): void {
    this.#fault ??= fault;
    this.#loaded.reject(fault);
    for (const stream of this.#jobs.values()) stream.end(fault);
    for (const question of this.#questions.values()) question.reject(fault);
  }

  #news(news: JobNews): void {
    const question = this.#questions.get(news.id);
    if (!question) this.#jobs.get(news.id)?.receive(news);
    else if (news.kind === 'answered') question.resolve(news.answer);
    else if (news.kind === 'refused') question.reject(new JobRefused(news.refusal));
    else if (news.kind === 'broken') question.reject(new DecoderFault(news.message, news.isModel));
  }

  #receive(message: FromDecoder, onRemark: (line: string) => void): void {
    this.#heard++;
    switch (message.kind) {
      case 'ready':
        this.#model = message.model;
        this.#state = message.state;
        this.#loaded.resolve(message.model);
        return;
      case 'failed':
        this.lose(message.isUserError ? new UserError(message.message) : new Error(message.message));
        return;
      case 'remark':
        onRemark(message.line);
        return;
      case 'news':
        this.#state = message.state;
        for (const news of message.news) this.#news(news);
        return;
      default:
        throw message satisfies never;
    }
  }
}

/** News that waits for its reader, or a reader that waits for news. */
class JobStream implements AsyncIterable<TextNews> {
  readonly #accepted = deferred<readonly PromptNews[]>();
  readonly #ended = deferred<void>();
  readonly #news: TextNews[] = [];
  #open: number;
  #wake: (() => void) | null = null;
  #failure: { reason: unknown } | null = null;

  /** @param texts whose ends are awaited */
  constructor(texts: number) {
    assert(texts > 0);
    this.#open = texts;
  }

  get accepted(): Promise<readonly PromptNews[]> {
    return this.#accepted.promise;
  }
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  receive(news: JobNews): void {
    switch (news.kind) {
      case 'accepted':
        this.#accepted.resolve(news.prompts);
        return;
      case 'refused':
        this.end(new JobRefused(news.refusal));
        return;
      case 'broken':
        this.end(new DecoderFault(news.message, news.isModel));
        return;
      case 'text':
        this.#news.push(news);
        if (news.finish !== null && --this.#open === 0) this.#ended.resolve();
        this.#wake?.();
        return;
      case 'answered':
        throw new Error('an answer to no question');
      default:
        throw news satisfies never;
    }
  }

  /** It will not go on, for this reason; what has come and not been read is dropped. */
  end(reason: unknown): void {
    if (this.#open === 0) return;
    this.#failure ??= { reason };
    this.#accepted.reject(reason);
    this.#ended.resolve();
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<TextNews> {
    for (;;) {
      while (this.#news.length === 0 && this.#open > 0 && !this.#failure)
        await new Promise<void>((wake) => {
          this.#wake = wake;
        });
      if (this.#failure) throw this.#failure.reason;
      const news = this.#news.shift();
      if (!news) return;
      yield news;
    }
  }
}
