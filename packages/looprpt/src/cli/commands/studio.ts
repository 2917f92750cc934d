/** `looprpt studio`: the page of runs, depth and tokens in the foreground, until a signal ends it. */
import { existsSync } from 'node:fs';
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { interruption } from '../../base/interrupt.js';
import { type Cli, printJson, sayer } from '../../base/terminal/cli.js';
import { UserError } from '../../base/user-error.js';
import { studioSettings } from '../../studio/settings.js';
import { newCommand } from '../command.js';
import { optionsOf, settingsOf } from '../schema-options.js';

/** Settings without an option: those of all commands, the runs, which are arguments, and the key, which comes from the environment. */
type Elsewhere = 'device' | 'dtype' | 'threads' | 'seed' | 'apiKey' | 'runs';

const SPELLING = {
  model: '--model <model>',
  host: '--host <address>',
  port: '--port <n>',
  allowWithoutKey: '--allow-without-key',
} as const satisfies Record<Exclude<keyof typeof studioSettings.shape, Elsewhere>, string>;

export function studioCommand(cli: Cli): CommandUnknownOpts {
  const command = newCommand(
    cli,
    'studio',
    'Shows runs in a browser as they train. Live curves of all runs, depth and calibration of a checkpoint, a text token by token under one or two models, the chat page, figures for a paper. Reads run folders and never writes to them. An API key is taken from LOOPRPT_API_KEY. With --json one object says where it is: {"url"}.',
    'npx looprpt studio runs --model hop-base',
  ).argument('[runs...]', 'run folders, or folders with runs below them (default: runs)');
  const options = optionsOf(studioSettings, SPELLING, {});
  for (const option of options) command.addOption(option);
  return command.action(async (runs, { json = false, ...given }) => {
    const { device, dtype, threads, seed } = given;
    const settings = {
      ...settingsOf(options, SPELLING, given),
      ...{ device, dtype, threads, seed, apiKey: process.env.LOOPRPT_API_KEY || null },
      ...(runs.length > 0 ? { runs } : {}),
    };
    for (const path of runs) if (!existsSync(path)) throw new UserError(`${path}: no such folder`);
    const say = sayer(cli, given);
    const { Studio } = await import('../../studio/studio.js');
    using interrupted = interruption(cli.stderr, { words: 'the studio closes' });
    await using studio = await Studio.open(settings, {
      onMessage: say,
      onFault: (error, request) => void cli.stderr.write(`request ${request}: ${String((error as Error).stack)}\n`),
    });
    say(`${studio.url}: open it in a browser`);
    if (studio.isOpenToAll) say('there is no API key: whoever reaches this address can read these runs');
    if (json) printJson(cli, { url: studio.url });
    const stopped = new Promise<void>((stop) => interrupted.signal.addEventListener('abort', () => stop()));
    // A model that cannot be opened is the user's to know, at once.
    await Promise.race([stopped, studio.loaded]);
    await stopped;
  });
}
