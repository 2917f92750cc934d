/** Clients that are a script of ours in `programs/`, which prints a line for each thing that it tries. */
import { execFile } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { Setting, Tried } from './client.js';

/** The same folder from the sources and from what is compiled of them. */
export const PROGRAMS = fileURLToPath(new URL('../../src/clients/programs/', import.meta.url));

const tried = z.object({ tried: z.string(), saw: z.string(), ok: z.boolean() });
const SECONDS = 180;

/** @param name of the script */
export function scripted(name: string): (setting: Setting) => Promise<Tried[]> {
  return async ({ url, model, folder, program }) => {
    // Node looks for packages beside the script.
    const script = join(folder, name);
    copyFileSync(join(PROGRAMS, name), script);
    // Prices and versions of models are not asked for; our server is all that is talked to.
    const quiet = { LITELLM_LOCAL_MODEL_COST_MAP: 'True', LANGSMITH_TRACING: 'false', DO_NOT_TRACK: '1' };
    const env = { ...process.env, ...quiet, BASE_URL: url, MODEL: model };
    const { stdout } = await promisify(execFile)(program, [script], { cwd: folder, env, timeout: SECONDS * 1000 });
    const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
    return lines.map((line) => tried.parse(JSON.parse(line)));
  };
}
