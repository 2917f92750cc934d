/**
 * Where a first-contact job lies: the folder asked for; if a finished job is there, or one of other settings, the next free
 * name (`runs/start-2`, …). An unfinished one of the same settings is continued.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SETTINGS = 'start.json';
export const REPORT = 'report.html';

export function jobFolder(out: string, settings: Readonly<Record<string, unknown>>): string {
  const text = JSON.stringify(settings);
  for (let n = 1; ; n++) {
    const folder = n === 1 ? out : `${out}-${n}`;
    if (!existsSync(folder)) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, SETTINGS), text, { flush: true });
      return folder;
    }
    const file = join(folder, SETTINGS);
    const same = existsSync(file) && readFileSync(file, 'utf8') === text;
    if (same && !existsSync(join(folder, REPORT))) return folder;
  }
}
