/** A Chromium of the system's for tests of the page. Never imported by the product. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];
const PLACES = ['/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];

/** `CHROME_PATH`, or the first browser in the search path; null where there is none. */
export function findBrowser(env: NodeJS.ProcessEnv = process.env): string | null {
  const inPath = (env.PATH ?? '').split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return [...(env.CHROME_PATH ? [env.CHROME_PATH] : []), ...inPath, ...PLACES].find(isProgram) ?? null;
}

export function openBrowser(executablePath: string): Promise<Browser> {
  // Containers rarely allow the sandbox, and the only page that is opened is ours.
  return chromium.launch({ executablePath, args: ['--no-sandbox'] });
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
