/**
 * The load test: every request alone (`askAlone`), then all of them at once from many clients that come and go (`runLoad`), and
 * a look at what the server still holds.
 *
 * The server says nothing about itself that is not checked here: streams are compared with those that came alone, and what is
 * held is counted before and after.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Rng } from 'looprpt/internal/base/rng.js';
import type { StreamRequest } from '../../../packages/looprpt/test-support/dist/serve/stream-client.js';
import {
  type Outcome,
  type Patience,
  type StreamedText,
  streamOnce,
} from '../../../packages/looprpt/test-support/dist/serve/stream-client.js';
import { contradictions, differences } from './compare.js';
import { readGauges, settle } from './gauges.js';

export interface LoadOptions {
  server: URL;
  requests: readonly StreamRequest[];
  /** What `askAlone` says of them. */
  alone: readonly StreamedText[][];
  clients: number;
  seconds: number;
  /** Of the clients' choices. */
  seed: number;
  /** @param seconds that have passed @param note for people */
  onProgress?: (seconds: number, note: string) => void;
}

export interface LoadResult {
  done: number;
  gone: number;
  /** Times that a client was told to come again. */
  busy: number;
  tokens: number;
  meanLoops: number;
  /** Of the loaded part. */
  seconds: number;
  firstTokenMs: number[];
  /** What went wrong, a line each; empty when the test ends clean. */
  wrong: string[];
}

/** Share of clients that leave before the end, and the most events that they wait for. */
const LEAVING = 0.35;
const MOST_EVENTS = 40;
const LONGEST_PAUSE_MS = 50;

export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const { server, requests, alone, clients, seconds, seed, onProgress } = options;
  const before = await readGauges(server);
  const tally = new LoadTally(alone);
  const started = performance.now();
  const elapsed = (): number => (performance.now() - started) / 1000;
  const timer = setInterval(() => onProgress?.(Math.min(seconds, Math.floor(elapsed())), tally.note), 500);
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      const rng = Rng.fromSeed(seed).fold(client);
      while (elapsed() < seconds) {
        const index = rng.below(requests.length);
        const outcome = await streamOnce(server, requests[index]!, drawPatience(rng));
        tally.add(index, outcome);
        if (outcome.kind === 'busy') await sleep(outcome.retryAfterSeconds * 1000);
        else await sleep(rng.between(0, LONGEST_PAUSE_MS));
      }
    }),
  );
  clearInterval(timer);
  const loaded = elapsed();
  return { ...tally.result, seconds: loaded, wrong: [...tally.wrong, ...(await settle(server, before))] };
}

/** What each request gives when nothing else is asked. @throws Error where one fails, or contradicts itself */
export async function askAlone(
  server: URL,
  requests: readonly StreamRequest[],
  onProgress?: (done: number) => void,
): Promise<StreamedText[][]> {
  const alone: StreamedText[][] = [];
  for (const request of requests) {
    const outcome = await streamOnce(server, request);
    if (outcome.kind !== 'done')
      throw new Error(`alone: ${'message' in outcome ? outcome.message : outcome.kind}: ${JSON.stringify(request)}`);
    const [wrong] = contradictions(outcome);
    if (wrong) throw new Error(`alone: ${wrong}: ${JSON.stringify(request)}`);
    alone.push(outcome.texts);
    onProgress?.(alone.length);
  }
  return alone;
}

function drawPatience(rng: Rng): Patience {
  return rng.chance(LEAVING) ? { events: rng.between(0, MOST_EVENTS) } : 'endless';
}

class LoadTally {
  readonly wrong: string[] = [];
  readonly #alone: readonly StreamedText[][];
  readonly #firstTokenMs: number[] = [];
  #gone = 0;
  #busy = 0;
  #tokens = 0;
  #loops = 0;

  constructor(alone: readonly StreamedText[][]) {
    this.#alone = alone;
  }

  get note(): string {
    const wrong = this.wrong.length === 0 ? '' : `, ${this.wrong.length} wrong`;
    return `${this.#firstTokenMs.length} streams whole, ${this.#gone} left early${wrong}`;
  }

  get result(): Omit<LoadResult, 'seconds' | 'wrong'> {
    return {
      done: this.#firstTokenMs.length,
      gone: this.#gone,
      busy: this.#busy,
      tokens: this.#tokens,
      meanLoops: this.#loops / Math.max(1, this.#tokens),
      firstTokenMs: this.#firstTokenMs,
    };
  }

  add(index: number, outcome: Outcome): void {
    switch (outcome.kind) {
      case 'busy':
        this.#busy++;
        return;
      case 'failed':
        this.wrong.push(`request ${index}: ${outcome.message}`);
        return;
      case 'gone':
        this.#gone++;
        break;
      case 'done':
        this.#firstTokenMs.push(outcome.firstTokenMs);
        this.wrong.push(...contradictions(outcome).map((line) => `request ${index}: ${line}`));
        break;
      default:
        throw outcome satisfies never;
    }
    this.wrong.push(...differences(outcome, this.#alone[index]!).map((line) => `request ${index}: ${line}`));
    for (const { loops } of outcome.texts) {
      this.#tokens += loops.length;
      for (const loop of loops) this.#loops += loop;
    }
  }
}
