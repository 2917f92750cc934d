/** `looprpt serve`: the server in the foreground, until a signal ends it. */
import { basename, resolve } from 'node:path';
import { type CommandUnknownOpts, Option } from '@commander-js/extra-typings';
import { requireEngine } from '../../base/prepare-engine.js';
import { type Cli, sayer } from '../../base/terminal/cli.js';
import { UserError } from '../../base/user-error.js';
import { newCommand } from '../command.js';
import { integer, real, repeated } from '../values.js';

export function serveCommand(cli: Cli): CommandUnknownOpts {
  return newCommand(
    cli,
    'serve',
    'Serves a model with OpenAI\'s API, and a page to try it. Tokens at different loops share each pass, so that early exits save time. The API key is taken from LOOPRPT_API_KEY. With --json one object says when it is ready: {"url", "model", …}. A signal ends it when what runs is done, a second one at once.',
    'npx looprpt serve --model packages/looprpt/models/hop-base --port 8000',
  )
    .requiredOption(
      '--model <model>',
      'a model folder, a Hub id or a run folder (its blended model or newest checkpoint)',
    )
    .option('--name <id>', "the model's id for clients (default: the last part of --model)")
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <n>', '0 takes a free one', integer(0, 65_535), 8000)
    .option(
      '--allow-without-key',
      'answer without an API key to other host names than localhost, and listen on other addresses than loopback',
    )
    .option(
      '--allow-origin <origin>',
      'pages of this origin may use the server from a browser, such as http://localhost:3000; * is any; several times',
      repeated,
    )
    .option(
      '--exit-threshold <τ>',
      "of requests that name none: stop looping where the exit CDF reaches τ (default: the model's)",
      real(),
    )
    .option(
      '--max-loops <k>',
      "of requests that name none: loops for every token, at most (default: the model's)",
      integer(1),
    )
    .option('--max-batch <n>', 'texts that run at once', integer(1), 32)
    .option('--max-length <n>', 'most tokens of a text with its prompt', integer(2), 2048)
    .option(
      '--cache-tokens <n>',
      'tokens that the cache holds (default: half of --max-batch × --max-length, up to 4 GiB)',
      integer(1),
    )
    .addOption(
      new Option(
        '--cache <policy>',
        'what later tokens see above the loop at which a token left: that loop again, or one slot for all loops (1/K of the memory)',
      )
        .choices(['per-loop', 'last'] as const)
        .default('per-loop' as const),
    )
    .addOption(
      new Option('--prefill <policy>', 'whether tokens of prompts run all loops or leave early')
        .choices(['all', 'adaptive'] as const)
        .default('all' as const),
    )
    .option('--no-prefix-reuse', 'read every prompt anew, even where it begins like an earlier one')
    .option(
      '--no-reproducible',
      "the library's general products: the last bits of a text's numbers depend on what else runs",
    )
    .option('--queue <n>', 'texts that may wait beyond those that run; 429 beyond', integer(0), 256)
    .option('--request-timeout <seconds>', 'most seconds of a request', real(0, 86_400), 600)
    .option('--max-body <bytes>', 'largest body of a request', integer(1), 4 * 2 ** 20)
    .action(async ({ json = false, ...options }) => {
      if (options.requestTimeout === 0) throw new UserError('--request-timeout 0 leaves no time; give some seconds');
      requireEngine();
      const { device, dtype, threads, model, maxBatch } = options;
      const { exitThreshold, maxLoops, maxLength, cacheTokens, prefixReuse, reproducible } = options;
      const { serve } = await import('../serving.js');
      await serve(cli, {
        model: {
          ...{ model, device, dtype, threads, exitThreshold, maxLoops, maxBatch, maxLength, cacheTokens },
          ...{ cache: { decode: options.cache, prefill: options.prefill }, prefixReuse, reproducible },
        },
        server: {
          ...{ modelId: options.name ?? idOf(model), host: options.host, port: options.port, maxBatch },
          ...{ apiKey: process.env.LOOPRPT_API_KEY || null, allowWithoutKey: options.allowWithoutKey ?? false },
          ...{ queue: options.queue, requestSeconds: options.requestTimeout, maxBodyBytes: options.maxBody },
          ...{ allowOrigins: options.allowOrigin ?? [], seed: options.seed },
        },
        say: sayer(cli, options),
        json,
      });
    });
}

function idOf(model: string): string {
  return basename(resolve(model));
}
