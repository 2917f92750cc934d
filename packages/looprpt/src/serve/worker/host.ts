/**
 * The decoder's side of the protocol: jobs in, news out. Runs in the decoder's thread; knows nothing of threads or HTTP, so that
 * a test can run it at the other end of any pair of ports.
 *
 * Invariants: every job is answered by `accepted`, `refused` or `broken`, unless it is cancelled first; a cancelled job holds
 * nothing from the moment at which the message is read, and says nothing more.
 */
import { liveTensors } from '@looprpt/engine';
import { UserError } from '../../base/user-error.js';
import type { DecodeRequest, ReadToken, Submission, TokenEvent } from '../../decode/index.js';
import { choiceSeed } from './choice-seed.js';
import { promptIds, promptNews } from './prompt.js';
import type {
  DecoderState,
  FromDecoder,
  Job,
  JobId,
  JobNews,
  LikelyToken,
  PromptNews,
  Refusal,
  ToDecoder,
  TokenNews,
} from './protocol.js';
import { requestRule, type Served } from './served.js';

/** A request that cannot be met, with the field that is the reason. */
class Refused extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.message);
  }
}

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
    if (message.kind === 'submit') void this.#run(message.id, message.job);
    else this.#cancel(message.id);
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
      const prompts = await Promise.all(
        job.prompts.map(async (prompt) => Array.from(await promptIds(this.#served, prompt))),
      );
      if (!this.#jobs.has(id)) return;
      const news = prompts.map((ids, p): PromptNews => promptNews(this.#served, job.prompts[p]!, ids, job.echo));
      const texts = this.#submit(id, job, prompts);
      this.#tell({ kind: 'accepted', id, prompts: news });
      await Promise.all(texts.map((text, index) => this.#follow(id, index, text, job.logProbs !== null)));
    } catch (error) {
      this.#fail(id, error);
    } finally {
      this.#jobs.delete(id);
    }
  }

  #fail(id: JobId, error: unknown): void {
    if (!this.#jobs.has(id)) return;
    this.#cancel(id);
    if (error instanceof Refused) this.#tell({ kind: 'refused', id, refusal: error.refusal });
    else if (error instanceof UserError)
      this.#tell({ kind: 'refused', id, refusal: { message: error.message, param: null, code: 'invalid_value' } });
    else this.#tell({ kind: 'broken', id, message: error instanceof Error ? error.message : String(error) });
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
      maxTokens: maxTokens(job, prompt.length, description.maxLength),
      exit: requestRule(this.#served, job.loop),
      sampling: job.sampling,
      presencePenalty: job.presencePenalty,
      frequencyPenalty: job.frequencyPenalty,
      seed: choiceSeed(job.seed, choice),
      stopIds: [...job.stopIds, ...(job.ignoreEnd ? [] : isChat ? stopIds.chat : stopIds.text)],
      logitBias: new Map(job.logitBias),
      topLogProbs: job.logProbs ?? 0,
      ...(job.echo && job.logProbs !== null ? { promptLogProbs: job.logProbs } : {}),
      text: {
        stream: tokenizer.stream({ skipSpecial: true }),
        stop: job.stop,
        hidden: (id) => tokenizer.hiddenText(id),
      },
    };
  }

  async #follow(id: JobId, index: number, events: AsyncIterable<TokenEvent>, isScored: boolean): Promise<void> {
    const decoder = this.#served.tokenizer.stream({ skipSpecial: true });
    const told = (token: ReadToken): TokenNews =>
      isScored ? this.#scored(token, decoder.push(token.id)) : { ...token, text: '', piece: '', top: [] };
    for await (const { text, token, prompt, finish } of events) {
      if (!this.#jobs.has(id)) return;
      const scored = prompt?.map((read) => this.#scored(read, '')) ?? null;
      const news = { text, token: token && told(token), prompt: scored, finish };
      this.#tell({ kind: 'text', id, index, ...news });
    }
  }

  #scored({ id, loop, logProb, top }: ReadToken, piece: string): TokenNews {
    return { ...this.#likely({ id, logProb }), piece, loop, top: top.map((one) => this.#likely(one)) };
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

/** @throws Refused where prompt and text do not fit */
function maxTokens({ maxTokens }: Job, prompt: number, maxLength: number): number {
  const fit = maxLength - prompt;
  if (maxTokens !== null && maxTokens <= fit) return maxTokens;
  if (maxTokens === null && fit > 0) return fit;
  const asked = maxTokens === null ? '' : ` and max_tokens is ${maxTokens}`;
  throw new Refused({
    message: `this server takes ${maxLength} tokens, prompt and text together; the prompt has ${prompt}${asked}`,
    param: maxTokens !== null && fit > 0 ? 'max_tokens' : 'prompt',
    code: 'context_length_exceeded',
  });
}
