/** A server from code, with its decoder in a thread of its own (compiled: `npm run build` first). */
import { describe, expect, it } from 'vitest';
import { serve } from './serve.js';

describe('serve', () => {
  it('answers once it is there, and is gone when it is closed', async () => {
    let url: string;
    {
      await using server = await serve({ model: 'hop-base', port: 0, threads: 1, maxBatch: 2, maxLength: 64 });
      url = server.url;
      expect(await server.loaded).toMatchObject({ loops: 4, maxBatch: 2, maxLength: 64 });
      expect(server.isOpenToAll).toBe(false);
      const body = JSON.stringify({ prompt: 'map ci gd ah hc ia dg ask c 1', max_tokens: 1, temperature: 0 });
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`${url}/v1/completions`, { method: 'POST', headers, body });
      expect(await answer.json()).toMatchObject({ model: 'hop-base', choices: [{ finish_reason: 'length' }] });
    }
    await expect(fetch(`${url}/health`)).rejects.toThrow();
  });

  it.each<[string, Parameters<typeof serve>[0], RegExp]>([
    [
      'a key that is none',
      { model: 'hop-base', maxBatches: 2 } as never,
      /serve: maxBatches: no such key; did you mean maxBatch\?/,
    ],
    ['a port that is none', { model: 'hop-base', port: -1 }, /serve: port: too small/],
    ['strangers without a key', { model: 'hop-base', host: '0.0.0.0', port: 0 }, /lets other machines in/],
    ['a model that is not there', { model: 'nowhere', port: 0 }, /nowhere: no such folder/],
  ])('refuses %s by name', async (_name, settings, message) => {
    await expect(serve(settings)).rejects.toThrow(message);
  });
});
