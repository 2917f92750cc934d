/** The load test in small: the real server, a few clients, a few seconds. */
import { fileURLToPath } from 'node:url';
import { Rng } from 'looprpt/internal/base/rng.js';
import { expect, it, onTestFinished } from 'vitest';
import { ServerProcess } from '../../../packages/looprpt/test-support/serve/server-process.js';
import { drawRequests, readAbilities } from './plan.js';
import { askAlone, runLoad } from './run.js';

const MODEL = fileURLToPath(new URL('../../../packages/looprpt/models/hop-base', import.meta.url));

it('streams lose and repeat nothing while clients come and go, and the server keeps nothing of them', async () => {
  // A cache that is too small for all at once, so that pages change hands all the time.
  const args = ['--model', MODEL, '--threads', '1', '--max-batch', '6', '--max-length', '512', '--cache-tokens', '600'];
  const server = await ServerProcess.start(args);
  onTestFinished(async () => void (await server.stop('SIGKILL')));
  const limits = { ...(await readAbilities(server.url)), maxTokens: 80 };
  const requests = drawRequests(Rng.fromSeed(1), 24, limits);
  const alone = await askAlone(server.url, requests);
  expect(alone.flat().some(({ loops }) => new Set(loops).size > 1)).toBe(true);
  const result = await runLoad({ server: server.url, requests, alone, clients: 8, seconds: 4, seed: 1 });
  expect(result.wrong).toEqual([]);
  expect(result.done).toBeGreaterThan(0);
  expect(result.gone).toBeGreaterThan(0);
  expect(await server.stop()).toBe(0);
});

it('a load that goes wrong says so', async () => {
  const server = await ServerProcess.start(['--model', MODEL, '--threads', '1']);
  onTestFinished(async () => void (await server.stop('SIGKILL')));
  const requests = drawRequests(Rng.fromSeed(2), 3, { ...(await readAbilities(server.url)), maxTokens: 20 });
  const alone = await askAlone(server.url, requests);
  // As if each stream had a token more than alone.
  const shorter = alone.map((texts) => texts.map((text) => ({ ...text, loops: text.loops.slice(1) })));
  const result = await runLoad({ server: server.url, requests, alone: shorter, clients: 2, seconds: 1, seed: 2 });
  expect(result.wrong.length).toBeGreaterThan(0);
});
