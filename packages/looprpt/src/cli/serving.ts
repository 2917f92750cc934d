/** The work of `serve` in this process: a thread with the decoder, a server before it, and signals that end both in order. */
import type { z } from 'zod';
import { interruption } from '../base/interrupt.js';
import { type Cli, printJson } from '../base/terminal/cli.js';
import { HttpServer, type serverConfig } from '../serve/http/server.js';
import { DecoderFault } from '../serve/worker/client.js';
import { servedModelConfig } from '../serve/worker/config.js';
import { type DecoderThread, startDecoderThread } from '../serve/worker/decoder-thread.js';
import type { ServedModel } from '../serve/worker/protocol.js';

export interface ServeOptions {
  model: z.input<typeof servedModelConfig>;
  server: z.input<typeof serverConfig>;
  say: (line: string) => void;
  /** Print one object when the model is there. */
  json: boolean;
}

/**
 * Until a signal comes; what runs then is finished.
 * @throws UserError where the model cannot be served, or not at that address
 */
export async function serve(cli: Cli, options: ServeOptions): Promise<void> {
  const words = 'no new requests; what runs is finished; another signal stops at once';
  using interrupted = interruption(cli.stderr, { words });
  const stopped = new Promise<void>((stop) => {
    interrupted.signal.addEventListener('abort', () => stop());
  });
  const decoder = startDecoderThread(servedModelConfig.parse(options.model), options.say);
  try {
    const onFault = (error: unknown, request: string): void =>
      void cli.stderr.write(`request ${request}: ${faultWords(error)}\n`);
    const server = await HttpServer.listen(decoder.client, options.server, onFault);
    try {
      await run(cli, options, { decoder, server, stopped });
    } finally {
      await server.close();
    }
  } finally {
    if (!(await decoder.close())) {
      cli.stderr.write("the decoder's thread does not come back; the process is ended by force\n");
      // To exit is to wait for all threads.
      process.kill(process.pid, 'SIGKILL');
    }
  }
}

function faultWords(error: unknown): string {
  if (error instanceof DecoderFault && error.isModel) return error.message;
  return error instanceof Error ? String(error.stack) : String(error);
}

async function run(
  cli: Cli,
  { model, server: { host, apiKey, modelId }, say, json }: ServeOptions,
  { decoder, server, stopped }: { decoder: DecoderThread; server: HttpServer; stopped: Promise<void> },
): Promise<void> {
  const { client } = decoder;
  say(`${server.url}: loading ${model.model}`);
  if (server.isOpenToAll) say(`there is no API key: whoever reaches ${host} can use this model`);
  const served = await Promise.race([client.loaded, stopped]);
  if (served) {
    say(`${server.url}: ${described(served)}${apiKey ? ', with an API key' : ''}`);
    const { name: path, tokenizer: _, ...figures } = served;
    if (json) printJson(cli, { url: server.url, model: modelId, name: modelId, path, ...figures });
    await Promise.race([stopped, decoder.ended]);
  }
  if (client.fault) throw client.fault;
  await server.drain();
}

function described(served: ServedModel): string {
  const { name, loops, parameters, dtype, device, cacheTokens, cacheBytes, maxBatch, maxLength } = served;
  const millions = parameters / 1e6;
  const count = millions < 999.5 ? `${millions.toPrecision(3)} M` : `${(millions / 1000).toPrecision(3)} B`;
  const size = `${count} parameters, ${loops} loops, ${dtype} on ${device}`;
  const cache = `cache of ${cacheTokens} tokens (${(cacheBytes / 2 ** 20).toPrecision(3)} MiB)`;
  return `ready, ${name} (${size}); ${cache}, ${maxBatch} texts at once of ${maxLength} tokens`;
}
