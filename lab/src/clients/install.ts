/** Pinned packages of a registry, into a folder of their own; nothing outside of it changes. */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Client } from './client.js';

const run = promisify(execFile);
const SECONDS = 600;

/** Why a client cannot be had, in one line. */
export class NotToBeHad extends Error {}

/** @returns the program to run the client's scripts with @throws NotToBeHad */
export async function install({ language, packages }: Client, folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  try {
    if (language === 'node') return await installNode(packages, folder);
    return await installPython(packages, folder);
  } catch (error) {
    const { stderr = '', message } = error as Error & { stderr?: string };
    const lines = (stderr || message).trim().split('\n');
    throw new NotToBeHad(lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1)!);
  }
}

async function installPython(packages: readonly string[], folder: string): Promise<string> {
  const environment = join(folder, 'python');
  await run('python3', ['-m', 'venv', environment]);
  const python = join(environment, 'bin', 'python');
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-input'];
  await run(python, ['-m', 'pip', 'install', ...quiet, ...packages], { timeout: SECONDS * 1000 });
  return python;
}

async function installNode(packages: readonly string[], folder: string): Promise<string> {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'client', private: true, type: 'module' }));
  const quiet = ['--no-audit', '--no-fund', '--loglevel', 'error', '--ignore-scripts'];
  await run('npm', ['install', '--save-exact', ...quiet, ...packages], { cwd: folder, timeout: SECONDS * 1000 });
  return process.execPath;
}
