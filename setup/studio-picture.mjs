/**
 * `npm run picture -- RUNS [FILE]`: the studio's room of runs as a PNG, for the README. Needs a Chromium (CHROME_PATH, or `chromium` in the
 * search path).
 */
import './node-version.mjs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const PRODUCT = fileURLToPath(new URL('../packages/looprpt/', import.meta.url));
const { chromium } = createRequire(`${PRODUCT}package.json`)('playwright-core');

const [runs = 'runs', file = fileURLToPath(new URL('../docs/studio.png', import.meta.url))] = process.argv.slice(2);
const args = [`${PRODUCT}bin/looprpt.js`, 'studio', runs, '--port', '0', '--json', '--quiet'];
const studio = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
try {
  const [line] = await once(createInterface({ input: studio.stdout }), 'line');
  const executablePath = process.env.CHROME_PATH ?? '/usr/bin/chromium';
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  const page = await browser.newPage({ viewport: { width: 1240, height: 760 } });
  await page.goto(JSON.parse(line).url);
  await page.locator('.panel svg').first().waitFor();
  // Until the files have been read and the panels are drawn.
  await page.waitForTimeout(3000);
  await page.getByLabel('Smoothing').fill('0.8');
  await page.getByLabel('Read at step').focus();
  for (let i = 0; i < 100; i++) await page.keyboard.press('ArrowRight');
  await page.locator('h1').click();
  await page.screenshot({ path: file });
  await browser.close();
  console.log(file);
} finally {
  studio.kill('SIGTERM');
}
