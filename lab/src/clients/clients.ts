#!/usr/bin/env node
/**
 * `npm run clients`: the clients of OpenAI's API that people use, from their registries, against `looprpt serve`. Writes what their
 * users see to docs/reference/clients.md. Ends with code 1 where something went wrong; a client that cannot be had is skipped.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from '@commander-js/extra-typings';
import { HOP_BASE } from 'looprpt/internal/checkpoint/shipped.js';
import { ServerProcess } from '../../../packages/looprpt/test-support/dist/serve/server-process.js';
import type { Client, Outcome } from './client.js';
import { install, NotToBeHad } from './install.js';
import { CLIENTS } from './list.js';
import { clientsPage } from './page.js';

const PAGE = fileURLToPath(new URL('../../../docs/reference/clients.md', import.meta.url));
const MODEL = 'hop-base';

const { only } = new Command('clients')
  .description("Tries other people's clients on a server of ours. Some minutes, most of them for installing.")
  .option('--only <names...>', 'of the clients; the page is printed and not written')
  .parse()
  .opts();

const base = mkdtempSync(join(tmpdir(), 'looprpt-clients-'));
const chosen = CLIENTS.filter(({ name }) => only === undefined || only.some((part) => name.includes(part)));
const outcomes: Outcome[] = [];
try {
  for (const [i, client] of chosen.entries()) {
    const outcome = await outcomeOf(client, join(base, String(i)));
    const { seen } = outcome;
    outcomes.push(outcome);
    process.stderr.write(`${client.name}: ${'skipped' in seen ? `skipped, ${seen.skipped}` : told(seen)}\n`);
  }
} finally {
  rmSync(base, { recursive: true, force: true });
}

async function outcomeOf(client: Client, folder: string): Promise<Outcome> {
  try {
    const program = await install(client, folder);
    // A server of its own, so that what one client leaves behind troubles no other.
    const server = await ServerProcess.start(['--model', HOP_BASE]);
    try {
      const setting = { url: server.url.origin, model: MODEL, modelFolder: HOP_BASE, folder, program };
      return { client, seen: await client.try(setting) };
    } finally {
      await server.stop();
    }
  } catch (error) {
    if (error instanceof NotToBeHad) return { client, seen: { skipped: error.message } };
    const saw = error instanceof Error ? error.message : String(error);
    return { client, seen: [{ tried: 'all', saw: saw.slice(0, 500), ok: false }] };
  }
}

function told(seen: readonly { ok: boolean }[]): string {
  return `${seen.filter(({ ok }) => ok).length} of ${seen.length} as they should be`;
}

const python = spawnSync('python3', ['--version'], { encoding: 'utf8' }).stdout?.trim().split(' ')[1] ?? 'none';
const page = clientsPage(outcomes, { node: process.versions.node, python, day: new Date().toISOString().slice(0, 10) });
if (only === undefined) writeFileSync(PAGE, page);
else process.stdout.write(page);
const wrong = outcomes.some(({ seen }) => !('skipped' in seen) && seen.some(({ ok }) => !ok));
process.exitCode = wrong ? 1 : 0;
