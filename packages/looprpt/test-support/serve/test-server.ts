/**
 * A server for tests: a tiny model, the decoder in this thread, a real socket on a free port. Never imported by the product.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Decoder } from 'looprpt/internal/decode/index.js';
import { HttpServer } from 'looprpt/internal/serve/http/server.js';
import type { servedModelConfig, serverConfig } from 'looprpt/internal/serve/settings.js';
import type { z } from 'zod';
import { localDecoder } from './local-decoder.js';
import { tinyModelFolder } from './tiny-folder.js';

export interface TestServer extends AsyncDisposable {
  url: string;
  /** Of the model. */
  folder: string;
  decoder: Decoder;
  server: HttpServer;
  /** What the server took for faults of its own; a test that expects none should look. */
  faults: unknown[];
}

export interface TestServerOptions {
  /** Default: a tiny model of its own. */
  folder?: string;
  decoder?: Omit<z.input<typeof servedModelConfig>, 'model'>;
  server?: Partial<z.input<typeof serverConfig>>;
}

export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const parent = mkdtempSync(join(tmpdir(), 'looprpt-serve-'));
  const folder = options.folder ?? (await tinyModelFolder(parent));
  const { client, decoder, close } = await localDecoder({
    maxLength: 128,
    maxBatch: 4,
    ...options.decoder,
    model: folder,
  });
  const faults: unknown[] = [];
  const settings = { modelId: 'tiny', port: 0, maxBatch: decoder.core.config.maxSequences, ...options.server };
  const server = await HttpServer.listen(client, settings, (fault) => faults.push(fault));
  return {
    url: server.url,
    folder,
    decoder,
    server,
    faults,
    async [Symbol.asyncDispose]() {
      await server.close();
      close();
      rmSync(parent, { recursive: true });
    },
  };
}
