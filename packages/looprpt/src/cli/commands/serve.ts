/** `looprpt serve`: the server in the foreground, until a signal ends it. */
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { requireEngine } from '../../base/prepare-engine.js';
import { type Cli, sayer } from '../../base/terminal/cli.js';
import { UserError } from '../../base/user-error.js';
import { serveSettings } from '../../serve/settings.js';
import { newCommand } from '../command.js';
import { optionsOf, settingsOf } from '../schema-options.js';

/** Settings without an option: those of all commands, the API key, which comes from the environment, and one for tests. */
type Elsewhere = 'device' | 'dtype' | 'threads' | 'seed' | 'apiKey' | 'stallSeconds' | 'cache' | 'model';

const SPELLING = {
  modelId: '--name <id>',
  host: '--host <address>',
  port: '--port <n>',
  allowWithoutKey: '--allow-without-key',
  allowOrigins: '--allow-origin <origin>',
  weights: '--weights <format>',
  exitThreshold: '--exit-threshold <τ>',
  maxLoops: '--max-loops <k>',
  speculate: '--speculate',
  maxBatch: '--max-batch <n>',
  maxLength: '--max-length <n>',
  cacheTokens: '--cache-tokens <n>',
  'cache.decode': '--cache <policy>',
  'cache.prefill': '--prefill <policy>',
  prefixReuse: '--no-prefix-reuse',
  reproducible: '--no-reproducible',
  queue: '--queue <n>',
  requestSeconds: '--request-timeout <seconds>',
  maxBodyBytes: '--max-body <bytes>',
} as const satisfies Record<Exclude<keyof typeof serveSettings.shape, Elsewhere>, string> & Record<string, string>;

const NEGATIONS = {
  prefixReuse: 'read every prompt anew, even where it begins like an earlier one',
  reproducible: "the library's general products: the last bits of a text's numbers depend on what else runs",
};

export function serveCommand(cli: Cli): CommandUnknownOpts {
  const command = newCommand(
    cli,
    'serve',
    'Serves a model with OpenAI\'s API, and a page to try it. Tokens at different loops share each pass, so that early exits save time. The API key is taken from LOOPRPT_API_KEY. With --json one object says when it is ready: {"url", "model", …}. A signal ends it when what runs is done, a second one at once.',
    'npx looprpt serve --model packages/looprpt/models/hop-base --port 8000',
  ).requiredOption('--model <model>', serveSettings.shape.model.description!);
  const options = optionsOf(serveSettings, SPELLING, NEGATIONS);
  for (const option of options) command.addOption(option);
  command.option('--dry-run', 'print what weights and cache take and how many texts fit, and stop; nothing is loaded');
  return command.action(async ({ json = false, ...given }) => {
    const { model, device, dtype, threads, seed } = given;
    const { dryRun = false } = given as { dryRun?: boolean };
    const settings = {
      ...settingsOf(options, SPELLING, given),
      model,
      device,
      dtype,
      threads,
      seed,
      apiKey: process.env.LOOPRPT_API_KEY || null,
    };
    const checked = serveSettings.safeParse(settings);
    if (!checked.success) {
      const { path, message } = checked.error.issues[0]!;
      const flags = SPELLING[path.join('.').replace(/\.\d+$/, '') as keyof typeof SPELLING] ?? `--${path.join('.')}`;
      throw new UserError(`${flags.split(' ')[0]}: ${message}`);
    }
    requireEngine();
    const say = sayer(cli, given);
    if (dryRun) {
      const { printServingPlan } = await import('../serving-plan.js');
      await printServingPlan(cli, checked.data, { json, say });
      return;
    }
    const { serveUntilSignal } = await import('../serving.js');
    await serveUntilSignal(cli, { settings: checked.data, say, json });
  });
}
