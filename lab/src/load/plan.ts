/**
 * What the load test asks for: requests that differ in everything that must not matter to each other, drawn from a seed. Many
 * begin alike, so that beginnings of prompts are reused while others free them.
 */
import type { Rng } from 'looprpt/internal/base/rng.js';
import { modelList } from 'looprpt/internal/serve/http/schemas/models.js';
import type { StreamRequest } from '../../../packages/looprpt/test-support/dist/serve/stream-client.js';

/** What the server's model can do. */
export interface Abilities {
  loops: number;
  chat: boolean;
}

export interface LoadLimits extends Abilities {
  /** Most tokens of a text. */
  maxTokens: number;
}

const WORDS = ['map', 'ab', 'bd', 'ca', 'dc', 'ask', 'b 2', 'a 1', 'the', 'number', 'naïve', '三つ', '🙂', '\n', '12'];

export function drawRequests(rng: Rng, count: number, limits: LoadLimits): StreamRequest[] {
  const beginnings = Array.from({ length: 4 }, () => drawText(rng, rng.between(5, 40)));
  return Array.from({ length: count }, () => drawRequest(rng, beginnings, limits));
}

export async function readAbilities(server: URL): Promise<Abilities> {
  const response = await fetch(new URL('/v1/models', server), { headers: { connection: 'close' } });
  return modelList.parse(await response.json()).data[0]!.looprpt;
}

function drawRequest(rng: Rng, beginnings: readonly string[], { loops, chat, maxTokens }: LoadLimits): StreamRequest {
  const text = (rng.chance(0.5) ? `${rng.pick(beginnings)} ` : '') + drawText(rng, rng.between(1, 30));
  const common = {
    stream: true,
    stream_options: { include_usage: true },
    // Short texts are the common ones, as with real clients.
    max_tokens: Math.max(1, Math.round(maxTokens ** (rng.between(0, 1000) / 1000))),
    seed: rng.uint32(),
    temperature: rng.pick([0, 0.7, 1, 1.5]),
    top_p: rng.pick([1, 0.9]),
    ...(rng.chance(0.2) ? { top_k: rng.between(2, 20) } : {}),
    ...(rng.chance(0.2) ? { repetition_penalty: 1.1 } : {}),
    ...(rng.chance(0.2) ? { stop: [rng.pick(WORDS)] } : {}),
    ...(rng.chance(0.2) ? { n: 2 } : {}),
    ...(rng.chance(0.8) ? { ignore_eos: true } : {}),
    loop: { report: true, exit_threshold: rng.between(20, 100) / 100, max_loops: rng.between(1, loops) },
  };
  if (chat && rng.chance(0.3))
    return { path: '/v1/chat/completions', body: { ...common, messages: [{ role: 'user', content: text }] } };
  return { path: '/v1/completions', body: { ...common, prompt: text } };
}

function drawText(rng: Rng, words: number): string {
  return Array.from({ length: words }, () => rng.pick(WORDS)).join(' ');
}
