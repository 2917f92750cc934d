/** Requests that speculate: the same text as all loops, and what is told of it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../../../test-support/serve/test-server.js';

let served: TestServer;
beforeAll(async () => {
  served = await startTestServer();
});
afterAll(async () => {
  expect(served.faults).toEqual([]);
  await served[Symbol.asyncDispose]();
});

interface Reply {
  error?: { message: string; param: string | null };
  choices: { text: string; logprobs: unknown; loops?: number[]; drafted?: (number | null)[]; token_texts?: string[] }[];
  usage: {
    completion_tokens: number;
    loops: number;
    speculation?: { drafted: number; accepted: number; passes: number };
  };
}

async function complete(fields: object): Promise<Reply> {
  const body = JSON.stringify({ prompt: 'the cat', max_tokens: 24, seed: 4, ignore_eos: true, ...fields });
  const response = await fetch(`${served.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  return (await response.json()) as Reply;
}

describe('loop.speculate', () => {
  it.each([true, { draft_loops: 1 }, { draft_loops: 1, max_draft: 1 }])(
    '%j gives the text of all loops',
    async (speculate) => {
      for (const fields of [
        { temperature: 0 },
        { temperature: 1, n: 3, logprobs: 2 },
        { temperature: 0.8, top_p: 0.9, presence_penalty: 1, stop: ['e '] },
      ]) {
        const [plain, fast] = await Promise.all([
          complete({ ...fields, loop: { exit_rule: 'loops', report: true } }),
          complete({ ...fields, loop: { speculate, report: true } }),
        ]);
        const told = fast.choices.map(({ drafted: _, ...choice }) => choice);
        expect(told).toEqual(plain.choices);
        const { speculation, ...usage } = fast.usage;
        expect(usage).toEqual(plain.usage);
        expect(plain.usage.speculation).toBeUndefined();
        const drafted = fast.choices.flatMap(({ drafted = [] }) => drafted.filter((loop) => loop !== null));
        // The token that completes a stop string is told in the usage alone.
        expect(speculation!.accepted).toBeGreaterThanOrEqual(drafted.length);
        expect(speculation!.drafted).toBeGreaterThanOrEqual(speculation!.accepted);
        for (const { drafted, loops } of fast.choices) if (drafted) expect(drafted).toHaveLength(loops!.length);
      }
    },
  );

  it('is counted by the metrics', async () => {
    const before = await counted();
    const { speculation } = (await complete({ temperature: 0, loop: { speculate: { draft_loops: 1 } } })).usage;
    const after = await counted();
    expect(speculation!.drafted).toBeGreaterThan(0);
    expect(after.map((value, i) => value - before[i]!)).toEqual([
      speculation!.drafted,
      speculation!.accepted,
      speculation!.passes,
    ]);
  });

  it.each([
    [{ exit_threshold: 0.5, speculate: true }, 'loop.speculate', /leave out exit_rule and exit_threshold/],
    [{ exit_rule: 'confidence', speculate: {} }, 'loop.speculate', /leave out exit_rule/],
    [{ speculate: { draft_loops: 0 } }, 'loop', /speculate/],
    [{ speculate: { drafts: 2 } }, 'loop', /speculate/],
    [{ speculate: { draft_loops: 99 } }, null, /99 are none before the last/],
  ])('%j is refused by name', async (loop, param, message) => {
    const { error } = await complete({ loop });
    expect(error?.param).toBe(param);
    expect(error?.message).toMatch(message);
  });
});

async function counted(): Promise<number[]> {
  const text = await (await fetch(`${served.url}/metrics`)).text();
  return ['drafted_tokens', 'accepted_tokens', 'speculation_passes'].map((name) =>
    Number(text.match(new RegExp(`^looprpt_${name}_total (\\d+)`, 'm'))?.[1] ?? 0),
  );
}

describe('a server that speculates', () => {
  it('does so where a request names no exit rule, and not where it does', async () => {
    await using fast = await startTestServer({ decoder: { speculate: true } });
    const usage = async (loop: object): Promise<Reply['usage']> => {
      const body = JSON.stringify({ prompt: 'the cat', max_tokens: 8, seed: 1, ignore_eos: true, loop });
      const headers = { 'content-type': 'application/json' };
      const reply = await fetch(`${fast.url}/v1/completions`, { method: 'POST', headers, body });
      return ((await reply.json()) as Reply).usage;
    };
    expect((await usage({})).speculation).toBeDefined();
    expect((await usage({ max_loops: 2 })).speculation).toBeDefined();
    expect((await usage({ max_loops: 2 })).loops).toBe(2);
    expect((await usage({ speculate: false })).speculation).toBeUndefined();
    expect((await usage({ exit_threshold: 0.5 })).speculation).toBeUndefined();
    expect(fast.faults).toEqual([]);
  });

  it('is refused with what contradicts it', async () => {
    await expect(startTestServer({ decoder: { speculate: true, exitThreshold: 0.5 } })).rejects.toThrow(
      /leave out --exit-threshold/,
    );
  });
});
