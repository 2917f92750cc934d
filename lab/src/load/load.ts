#!/usr/bin/env node
/**
 * `npm run load`: many streaming clients against `looprpt serve`, each with its own prompts, lengths, seeds and thresholds, a
 * third of them leaving in the middle. Ends with a table, and with code 1 where a stream lost or repeated a token or the server
 * kept anything.
 */
import { fileURLToPath } from 'node:url';
import { Command } from '@commander-js/extra-typings';
import { Rng } from 'looprpt/internal/base/rng.js';
import { progress } from 'looprpt/internal/base/terminal/progress.js';
import { integer } from 'looprpt/internal/cli/values.js';
import { ServerProcess } from '../../../packages/looprpt/test-support/dist/serve/server-process.js';
import { drawRequests, readAbilities } from './plan.js';
import { askAlone, type LoadResult, runLoad } from './run.js';
import { loadTable } from './table.js';

const SMALL_MODEL = fileURLToPath(new URL('../../../packages/looprpt/models/hop-base', import.meta.url));

const options = new Command('load')
  .description('Loads a server with clients that come and go, and looks for what it lost or kept.')
  .option('--model <model>', 'what is served', SMALL_MODEL)
  .option('--clients <n>', 'at once', integer(1), 64)
  .option('--seconds <n>', 'of load', integer(1), 120)
  .option('--requests <n>', 'different ones, each also asked alone', integer(1), 200)
  .option('--max-tokens <n>', 'most tokens of a text', integer(1), 400)
  .option('--seed <n>', 'of all choices', integer(0), 0)
  .parse()
  .opts();

const { model, clients, seconds, seed, maxTokens } = options;
// Room for all, two texts each: a client that is sent away tests nothing here.
const server = await ServerProcess.start(['--model', model, '--queue', String(2 * clients)]);
let result: LoadResult;
let exitCode: number | null;
try {
  const requests = drawRequests(Rng.fromSeed(seed), options.requests, {
    ...(await readAbilities(server.url)),
    maxTokens,
  });
  const first = progress('each alone', requests.length);
  const alone = await askAlone(server.url, requests, (done) => first.update(done));
  first.done();
  const then = progress(`${clients} clients, seconds`, seconds);
  result = await runLoad({
    server: server.url,
    requests,
    alone,
    clients,
    seconds,
    seed,
    onProgress: (passed, note) => then.update(passed, note),
  });
  then.done();
} finally {
  exitCode = await server.stop();
}
if (exitCode !== 0) result.wrong.push(`the server ended with code ${exitCode}`);
process.stdout.write(`${loadTable(result)}\n`);
process.exitCode = result.wrong.length === 0 ? 0 : 1;
