/** The work of `serve` around the server: what it says, and signals that end it in order. */
import { interruption } from '../base/interrupt.js';
import { formatBytes } from '../base/terminal/bytes.js';
import { type Cli, printJson } from '../base/terminal/cli.js';
import { type RunningServer, startServer } from '../serve/serve.js';
import type { ServeSettings } from '../serve/settings.js';
import { DecoderFault } from '../serve/worker/client.js';
import type { ServedModel } from '../serve/worker/protocol.js';
import { textsInWords } from './serving-plan.js';

export interface ServingOptions {
  settings: ServeSettings;
  say: (line: string) => void;
  /** Print one object when the model is there. */
  json: boolean;
}

/**
 * Until a signal comes; what runs then is finished.
 * @throws UserError where the model cannot be served, or not at that address
 */
export async function serveUntilSignal(cli: Cli, options: ServingOptions): Promise<void> {
  const words = 'no new requests; what runs is finished; another signal stops at once';
  using interrupted = interruption(cli.stderr, { words });
  const stopped = new Promise<void>((stop) => {
    interrupted.signal.addEventListener('abort', () => stop());
  });
  const server = await startServer(options.settings, {
    onMessage: options.say,
    onFault: (error, request) => void cli.stderr.write(`request ${request}: ${faultWords(error)}\n`),
  });
  try {
    await run(cli, options, server, stopped);
  } finally {
    if (!(await server.close())) {
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
  { settings: { model, host, apiKey }, say, json }: ServingOptions,
  server: RunningServer,
  stopped: Promise<void>,
): Promise<void> {
  say(`${server.url}: loading ${model}`);
  if (server.isOpenToAll) say(`there is no API key: whoever reaches ${host} can use this model`);
  const served = await Promise.race([server.loaded, stopped]);
  if (served) {
    say(`${server.url}: ${described(served)}${apiKey ? ', with an API key' : ''}`);
    const { name: path, tokenizer: _, ...figures } = served;
    const { modelId } = server;
    if (json) printJson(cli, { url: server.url, model: modelId, name: modelId, path, ...figures });
    await Promise.race([stopped, server.ended]);
  }
  if (server.fault) throw server.fault;
  await server.drain();
}

function described(served: ServedModel): string {
  const { name, loops, parameters, dtype, device, cacheTokens, cacheBytes, cacheIsTight, maxBatch, maxLength } = served;
  const millions = parameters / 1e6;
  const count = millions < 999.5 ? `${millions.toPrecision(3)} M` : `${(millions / 1000).toPrecision(3)} B`;
  const size = `${count} parameters, ${loops} loops, ${dtype} on ${device}`;
  const tight = cacheIsTight ? ', as much as memory allows' : '';
  const texts = Math.min(maxBatch, Math.floor(cacheTokens / maxLength));
  const cache = `cache of ${cacheTokens} tokens (${formatBytes(cacheBytes)}${tight}): ${textsInWords(texts, maxLength, maxBatch)}`;
  return `ready, ${name} (${size}); ${cache}`;
}
