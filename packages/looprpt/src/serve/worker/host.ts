/**
 * The decoder's side of the protocol: jobs in, news out. Runs in the decoder's thread; knows nothing of threads or HTTP, so that
 * a test can run it at the other end of any pair of ports.
 *
 * Invariants: every job is answered by `accepted`, `refused` or `broken`, unless it is cancelled first; a cancelled job holds
 * nothing from the moment at which the message is read, and says nothing more.
 */
import assert from 'node:assert/strict';
import { liveTensors } from '@looprpt/engine';
import { UserError } from '../../base/user-error.js';
import {
  type DecodeRequest,
  ModelFault,
  type ReadToken,
  type Submission,
  type TokenEvent,
} from '../../decode/index.js';
import { shownText } from '../../decode/prompt.js';
import { choiceSeed } from './choice-seed.js';
import { fieldOf, promptIds, promptNews } from './prompt.js';
import type {
  Answer,
  DecoderState,
  FromDecoder,
  Job,
  JobId,
  JobNews,
  LikelyToken,
  PromptInput,
  PromptNews,
  Question,
  ToDecoder,
  TokenNews,
} from './protocol.js';
import { Refused } from './refused.js';
import { requestDepth, type Served } from './served.js';

export class DecoderHost implements Disposable {
  readonly #served: Served;
  readonly #post: (message: FromDecoder) => void;
  /** Submissions of each job that has not ended; none yet while its prompts are being read. */
  readonly #jobs = new Map<JobId, Submission[]>();
  #news: JobNews[] = [];
  #isFlushing = false;

  constructor(served: Served, post: (message: FromDecoder) => void) {
    this.#served = served;
    this.#post = post;
    post({ kind: 'ready', model: served.description, state: this.#state() });
  }

  receive(message: Exclude<ToDecoder, { kind: 'close' }>): void {
    switch (message.kind) {
      case 'submit':
        void this.#run(message.id, message.job);
        return;
      case 'ask':
        void this.#ask(message.id, message.question);
        return;
      case 'cancel':
        this.#cancel(message.id);
        return;
      case 'ping':
        this.#flushSoon();
        return;
      default:
        throw message satisfies never;
    }
  }

  /** Cancels everything. */
  [Symbol.dispose](): void {
    for (const id of [...this.#jobs.keys()]) this.#cancel(id);
  }

  #cancel(id: JobId): void {
    const submissions = this.#jobs.get(id);
    this.#jobs.delete(id);
    for (const submission of submissions ?? []) submission.cancel();
    this.#news = this.#news.filter((news) => news.id !== id);
    this.#flushSoon();
  }

  async #run(id: JobId, job: Job): Promise<void> {
    this.#jobs.set(id, []);
    try {
      const prompts: number[][] = [];
      // One by one, so that a request of many prompts does not keep those of others waiting.
      for (const prompt of job.prompts) {
        prompts.push(await this.#read(prompt, job));
        if (!this.#jobs.has(id)) return;
      }
      const news = prompts.map((ids, p): PromptNews => promptNews(this.#served, job.prompts[p]!, ids, job.echo));
      const texts = this.#submit(id, job, prompts);
      this.#tell({ kind: 'accepted', id, prompts: news });
      await Promise.all(texts.map((text, index) => this.#follow(id, index, text, job)));
    } catch (error) {
      this.#fail(id, error);
    } finally {
      this.#jobs.delete(id);
    }
  }

  /** @throws Refused where it is too long, with the text that is asked for */
  async #read(prompt: PromptInput, job: Job): Promise<number[]> {
    const ids = await promptIds(this.#served, prompt);
    mostTokens(job, { prompt, length: ids.length, maxLength: this.#served.description.maxLength });
    return Array.from(ids);
  }

  async #ask(id: JobId, question: Question): Promise<void> {
    this.#jobs.set(id, []);
    try {
      const answer = await this.#answer(question);
      if (this.#jobs.has(id)) this.#tell({ kind: 'answered', id, answer });
    } catch (error) {
      this.#fail(id, error);
    } finally {
      this.#jobs.delete(id);
    }
  }

  async #answer(question: Question): Promise<Answer> {
    const { tokenizer } = this.#served;
    if (question.kind === 'detokenize') return { kind: 'text', text: tokenizer.decode(question.ids) };
    const { prompt } = question;
    const isEmpty = prompt.kind === 'text' && prompt.text === '';
    const ids = isEmpty ? [] : Array.from(await promptIds(this.#served, prompt));
    return { kind: 'tokens', ids, texts: ids.map((one) => tokenizer.decode([one])) };
  }

  #fail(id: JobId, error: unknown): void {
    if (!this.#jobs.has(id)) return;
    this.#cancel(id);
    if (error instanceof Refused) this.#tell({ kind: 'refused', id, refusal: error.refusal });
    else if (error instanceof ModelFault) this.#tell({ kind: 'broken', id, message: error.message, isModel: true });
    else if (error instanceof UserError)
      this.#tell({ kind: 'refused', id, refusal: { message: this.#told(error), param: null, code: 'invalid_value' } });
    else {
      const message = error instanceof Error ? error.message : String(error);
      this.#tell({ kind: 'broken', id, message, isModel: false });
    }
  }

  /** For clients: where the model lies is not their business. */
  #told({ message }: UserError): string {
    const { folder } = this.#served;
    return message.replaceAll(`${folder}/`, '').replaceAll(folder, 'the model');
  }

  /** Puts all texts of a job in the queue, or none. A text of no tokens has no events but its end. */
  #submit(id: JobId, job: Job, prompts: readonly number[][]): AsyncIterable<TokenEvent>[] {
    const requests = prompts.flatMap((ids) =>
      Array.from({ length: job.choices }, (_, choice) => this.#request(job, ids, choice)),
    );
    const submissions = this.#jobs.get(id)!;
    return requests.map((request) => {
      if (request.maxTokens === 0 && request.promptLogProbs === undefined) return nothing();
      const submission = this.#served.decoder.submit(request);
      submissions.push(submission);
      return submission;
    });
  }

  #request(job: Job, prompt: number[], choice: number): DecodeRequest {
    const { tokenizer, stopIds, description } = this.#served;
    const isChat = job.prompts[0]!.kind === 'chat';
    return {
      prompt,
      maxTokens: mostTokens(job, {
        prompt: job.prompts[0]!,
        length: prompt.length,
        maxLength: description.maxLength,
      }),
      ...requestDepth(this.#served, job.loop),
      sampling: job.sampling,
      seed: choiceSeed(job.seed, choice),
      stopIds: [...job.stopIds, ...(job.ignoreEnd ? [] : isChat ? stopIds.chat : stopIds.text)],
      minTokens: job.minTokens,
      logitBias: new Map(job.logitBias),
      topLogProbs: job.logProbs ?? 0,
      ...(job.echo && job.logProbs !== null ? { promptLogProbs: job.logProbs } : {}),
      text: shownText(tokenizer, job),
    };
  }

  async #follow(id: JobId, index: number, events: AsyncIterable<TokenEvent>, job: Job): Promise<void> {
    const stream = this.#served.tokenizer.stream(job);
    const isScored = job.logProbs !== null;
    const told = (token: ReadToken): TokenNews =>
      isScored ? this.#scored(token, stream.push(token.id)) : { ...token, text: '', piece: '', top: [] };
    for await (const { text, token, end, prompt, finish, speculation } of events) {
      if (!this.#jobs.has(id)) return;
      assert(finish !== 'failed', 'a decoder throws what failed');
      const scored = prompt?.map((read) => this.#scored(read, '')) ?? null;
      const ended = end && isScored ? { ...this.#scored(end, ''), text: '' } : null;
      this.#tell({
        kind: 'text',
        id,
        index,
        text,
        token: token && told(token),
        end: ended,
        prompt: scored,
        finish,
        ...(speculation ? { speculation } : {}),
      });
    }
  }

  #scored({ id, loop, logProb, top, drafted }: ReadToken, piece: string): TokenNews {
    return {
      ...this.#likely({ id, logProb }),
      piece,
      loop,
      top: top.map((one) => this.#likely(one)),
      ...(drafted === undefined ? {} : { drafted }),
    };
  }

  #likely({ id, logProb }: { id: number; logProb: number }): LikelyToken {
    return { id, logProb, text: this.#served.tokenizer.decode([id]) };
  }

  #tell(news: JobNews): void {
    this.#news.push(news);
    this.#flushSoon();
  }

  /** After all that this turn of the event loop has to tell, and before the next pass. */
  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    process.nextTick(() => {
      this.#isFlushing = false;
      const news = this.#news;
      this.#news = [];
      this.#post({ kind: 'news', news, state: this.#state() });
    });
  }

  #state(): DecoderState {
    const { core } = this.#served.decoder;
    const { pages, free } = core.pool;
    const pagesKept = core.prefixPages;
    const pagesUsed = pages - free - pagesKept;
    return { waiting: core.waiting, running: core.running, pages, pagesUsed, pagesKept, tensors: liveTensors() };
  }
}

async function* nothing(): AsyncIterable<TokenEvent> {
  yield { token: null, text: '', finish: 'length' };
}

interface Read {
  prompt: PromptInput;
  /** Tokens. */
  length: number;
  maxLength: number;
}

/** @throws Refused where prompt and text do not fit */
function mostTokens({ maxTokens, minTokens }: Job, { prompt, length, maxLength }: Read): number {
  if (maxTokens !== null && minTokens > maxTokens)
    throw new Refused({
      message: `min_tokens is ${minTokens}, more than max_tokens, ${maxTokens}`,
      param: 'min_tokens',
      code: 'invalid_value',
    });
  const fit = maxLength - length;
  if (maxTokens !== null && maxTokens <= fit) return maxTokens;
  if (maxTokens === null && fit > 0 && minTokens <= fit) return fit;
  const asked = maxTokens === null ? '' : ` and max_tokens is ${maxTokens}`;
  const field = maxTokens !== null && fit > 0 ? 'max_tokens' : fieldOf(prompt);
  throw Refused.tooLong(maxLength, `the prompt has ${length}${asked}`, field);
}
