/**
 * Templates of known models, and transformers to render them: from the Python index, into a temporary folder. The templates are their
 * makers' and none of them is in this repository; llama-cpp-python's source package carries them for its own tests.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TemplateCase } from './chats.js';

const SOURCES = 'llama-cpp-python==0.3.36';
const RENDERERS = ['transformers==5.24.0', 'jinja2==3.1.6'];
const SCRIPT = fileURLToPath(new URL('../../src/templates/reference.py', import.meta.url));

export type Rendered = { text: string } | { error: string };

/** What templates may name besides their variables. */
export const TOKENS = { bos_token: '<s>', eos_token: '</s>', pad_token: '<pad>', unk_token: '<unk>' };

/** @returns null where Python or its index cannot be had */
export function fetchReference(folder: string): { python: string; templates: Record<string, string> } | null {
  const run = (program: string, args: string[]): void => {
    execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'], timeout: 600_000 });
  };
  const python = join(folder, 'venv/bin/python');
  try {
    run('python3', ['-m', 'venv', join(folder, 'venv')]);
    run(python, ['-m', 'pip', 'install', '--quiet', ...RENDERERS]);
    const options = ['--quiet', '--no-deps', '--no-binary', 'llama-cpp-python', '--dest', folder];
    run(python, ['-m', 'pip', 'download', ...options, SOURCES]);
  } catch {
    return null;
  }
  const archive = readdirSync(folder).find((name) => name.endsWith('.tar.gz'))!;
  const unpacked = join(folder, 'templates');
  mkdirSync(unpacked);
  const only = ['--wildcards', '--strip-components=5', '*/models/templates/*.jinja'];
  run('tar', ['xzf', join(folder, archive), '-C', unpacked, ...only]);
  const files = readdirSync(unpacked).sort();
  const templates = files.map((file) => [basename(file, '.jinja'), readFileSync(join(unpacked, file), 'utf8')]);
  return { python, templates: Object.fromEntries(templates) as Record<string, string> };
}

/** What transformers makes of the cases, in their order. */
export function renderByTransformers(
  python: string,
  templates: Record<string, string>,
  cases: readonly TemplateCase[],
): { versions: string; rendered: Rendered[] } {
  const input = JSON.stringify({ templates, tokens: TOKENS, cases });
  const output = execFileSync(python, [SCRIPT], { input, maxBuffer: 1 << 29, stdio: ['pipe', 'pipe', 'ignore'] });
  return JSON.parse(output.toString()) as { versions: string; rendered: Rendered[] };
}
