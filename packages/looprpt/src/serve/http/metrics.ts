/** What `/metrics` tells Prometheus. Times are in seconds. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { DraftCounts } from '../../decode/speculation.js';
import type { DecoderState } from '../worker/protocol.js';

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

export class Metrics {
  readonly #registry = new Registry();
  readonly #registers = [this.#registry];
  readonly requests = new Counter({
    name: 'looprpt_requests_total',
    help: 'requests answered, by route and status',
    labelNames: ['route', 'status'] as const,
    registers: this.#registers,
  });
  readonly promptTokens = new Counter({
    name: 'looprpt_prompt_tokens_total',
    help: 'tokens of accepted prompts',
    registers: this.#registers,
  });
  readonly generatedTokens = new Counter({
    name: 'looprpt_generated_tokens_total',
    help: 'tokens made; its rate is tokens/s',
    registers: this.#registers,
  });
  readonly cancelled = new Counter({
    name: 'looprpt_cancelled_total',
    help: 'requests that ended early',
    registers: this.#registers,
    labelNames: ['reason'] as const,
  });
  readonly #drafted = new Counter({
    name: 'looprpt_drafted_tokens_total',
    help: 'tokens started before the one before them was sure',
    registers: this.#registers,
  });
  readonly #accepted = new Counter({
    name: 'looprpt_accepted_tokens_total',
    help: 'those of them that full depth agreed with',
    registers: this.#registers,
  });
  readonly #passes = new Counter({
    name: 'looprpt_speculation_passes_total',
    help: 'passes that texts with drafts took part in; divided by their tokens, passes per token',
    registers: this.#registers,
  });
  readonly firstToken = this.#seconds('looprpt_time_to_first_token_seconds', 'from arrival to the first token');
  readonly perToken = this.#seconds(
    'looprpt_time_per_token_seconds',
    "between a text's tokens, on average over the text",
  );
  readonly total = this.#seconds('looprpt_request_seconds', 'from arrival to the end of a generation request');
  #loops: Histogram | null = null;

  /** @param stateOf how things stand when they are asked for; null before the model is there */
  constructor(stateOf: () => DecoderState | null) {
    const gauge = (name: string, help: string, read: (state: DecoderState) => number): void =>
      this.gauge(name, help, () => {
        const state = stateOf();
        return state && read(state);
      });
    gauge('looprpt_queue_length', 'texts that wait', ({ waiting }) => waiting);
    gauge('looprpt_batch_size', 'texts that run', ({ running }) => running);
    gauge('looprpt_cache_pages', 'pages of the cache', ({ pages }) => pages);
    gauge('looprpt_cache_pages_used', 'pages that texts under way hold', ({ pagesUsed }) => pagesUsed);
    gauge('looprpt_cache_pages_kept', 'free pages that remember beginnings of prompts', ({ pagesKept }) => pagesKept);
    gauge('looprpt_live_tensors', "native tensors of the decoder's thread", ({ tensors }) => tensors);
  }

  /** A number that is read when it is asked for; null leaves it as it was. */
  gauge(name: string, help: string, read: () => number | null | Promise<number>): void {
    const instrument: Gauge = new Gauge({
      name,
      help,
      registers: this.#registers,
      collect: async () => {
        const value = await read();
        if (value !== null) instrument.set(value);
      },
    });
  }

  /** A token that left after this loop, of a model with so many. */
  token(loop: number, loops: number): void {
    this.#loops ??= new Histogram({
      name: 'looprpt_loops_per_token',
      help: 'loops that a token took',
      registers: this.#registers,
      buckets: Array.from({ length: loops }, (_, k) => k + 1),
    });
    this.#loops.observe(loop);
    this.generatedTokens.inc();
  }

  /** A text with drafts has ended. */
  speculated({ drafted, accepted, passes }: DraftCounts): void {
    this.#drafted.inc(drafted);
    this.#accepted.inc(accepted);
    this.#passes.inc(passes);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #seconds(name: string, help: string): Histogram {
    return new Histogram({ name, help, buckets: SECONDS, registers: this.#registers });
  }
}
