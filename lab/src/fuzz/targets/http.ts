/** Bodies of HTTP requests, on a server with a tiny model, without sockets. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { UserError } from 'looprpt/internal/base/user-error.js';
import { Admission } from 'looprpt/internal/serve/http/admission.js';
import { createApp } from 'looprpt/internal/serve/http/app.js';
import { errorBody } from 'looprpt/internal/serve/http/errors.js';
import { Metrics } from 'looprpt/internal/serve/http/metrics.js';
import { localDecoder } from '../../../../packages/looprpt/test-support/dist/serve/local-decoder.js';
import { tinyModelFolder } from '../../../../packages/looprpt/test-support/dist/serve/tiny-folder.js';
import { mutatedJson } from '../mutate/json.js';
import type { CaseFiles, FuzzTarget } from '../target.js';

const OPTIONS = {
  model: 'tiny',
  max_tokens: 2,
  temperature: 0.5,
  top_p: 0.9,
  n: 1,
  seed: 3,
  stop: ['x', 'the'],
  stream: false,
  loop: { exit_threshold: 0.5, max_loops: 2 },
};
const COMPLETION = { ...OPTIONS, prompt: ['the cat', 'sat'], echo: false, logprobs: 2 };
const CHAT = {
  ...OPTIONS,
  messages: [
    { role: 'system', content: 'be short' },
    { role: 'user', content: [{ type: 'text', text: 'what is 12 plus 30?' }] },
  ],
  stream: true,
  stream_options: { include_usage: true },
  logprobs: true,
  top_logprobs: 1,
};

const ROUTE = 'route';
const BODY = 'body';
const PATHS = ['/v1/completions', '/v1/chat/completions'] as const;
const LARGEST_BODY = 2 ** 18;

export async function http(): Promise<FuzzTarget> {
  const folder = await tinyModelFolder(mkdtempSync(join(tmpdir(), 'looprpt-fuzz-http-')));
  const { client } = await localDecoder({ model: folder, maxLength: 40, maxBatch: 4 });
  const faults: unknown[] = [];
  const app = createApp({
    client,
    modelId: 'tiny',
    apiKey: null,
    requestSeconds: 60,
    maxBodyBytes: LARGEST_BODY,
    admission: new Admission(16),
    metrics: new Metrics(() => client.state),
    phase: () => 'ready' as const,
    onFault: (fault) => faults.push(fault),
    nextSeed: () => 0,
    loopbackOnly: false,
    allowOrigins: [],
  });
  const body = (path: string, value: unknown): fc.Arbitrary<CaseFiles> =>
    mutatedJson(value).map((bytes) => [
      [ROUTE, Buffer.from(path)],
      [BODY, bytes],
    ]);
  return {
    keepsTensors: true,
    cases: fc.oneof(body(PATHS[0], COMPLETION), body(PATHS[1], CHAT)),
    async read(_, files) {
      const [path, content] = [ROUTE, BODY].map((wanted) => files.find(([name]) => name === wanted)![1]);
      const response = await app.request(Buffer.from(path!).toString(), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: new Uint8Array(content!),
      });
      const answer = await response.text();
      const fault = faults.pop();
      if (fault !== undefined) throw fault;
      if (response.status >= 500) throw new Error(`status ${response.status}: ${answer}`);
      if (response.status >= 400) throw new UserError(errorBody.parse(JSON.parse(answer)).error.message);
    },
  };
}
