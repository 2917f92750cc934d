/** Versions of what made a result. */
import { readFileSync } from 'node:fs';

export function looprptVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

export function versions(): Record<string, string> {
  return { looprpt: looprptVersion(), node: process.versions.node };
}
