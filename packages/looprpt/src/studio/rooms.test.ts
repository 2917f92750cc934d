/** The rooms of depth, talk and figures in a real browser: an evaluation that is run and one that is stopped, the chat, files for a paper. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findBrowser, openBrowser } from '../../test-support/serve/browser.js';
import { ServerProcess } from '../../test-support/serve/server-process.js';
import { openStudio, violations } from '../../test-support/studio/reader.js';
import { tinyRun } from '../../test-support/tiny-run.js';
import { judge } from '../eval/judge.js';
import { run } from '../train/run.js';

const BASE = fileURLToPath(new URL('../../models/hop-base', import.meta.url));
const executable = findBrowser();
const WHY = executable === null ? ' (skipped: no Chromium found; CHROME_PATH names one)' : '';

describe.skipIf(executable === null)(`the other rooms${WHY}`, () => {
  let folder: string;
  let trained: string;
  let server: ServerProcess;
  let browser: Browser;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'looprpt-studio-'));
    trained = join(folder, 'trained');
    const tiny = await tinyRun();
    await run(tiny.config(trained, { model: { from: BASE }, steps: 4 }), false);
    [server, browser] = await Promise.all([
      ServerProcess.start([folder, '--model', BASE, '--threads', '1'], {}, 'studio'),
      openBrowser(executable!),
    ]);
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    if (server) expect(await server.stop()).toBe(0);
    rmSync(folder, { recursive: true });
  });

  const poll = <T>(look: () => T | Promise<T>) => expect.poll(look, { timeout: 45_000 });
  const open = (room: string, options: Parameters<typeof openStudio>[2] = {}): Promise<Page> =>
    openStudio(browser, new URL(`#${room}`, server.url), options);

  async function evaluate(tab: Page, tokens: number): Promise<string> {
    await tab.locator('#depth-model option').nth(1).waitFor({ state: 'attached' });
    await tab.locator('#depth-model').selectOption({ label: 'trained' });
    await tab.locator('#depth-base').selectOption({ label: BASE });
    await tab.getByLabel('Tokens at most').fill(String(tokens));
    const [answer] = await Promise.all([
      tab.waitForResponse((response) => response.request().method() === 'POST'),
      tab.getByRole('button', { name: 'Evaluate' }).click(),
    ]);
    return ((await answer.json()) as { id: string }).id;
  }
  const item = (tab: Page, id: string) => tab.locator(`#depth-list [data-evaluation="${id}"]`);

  it('evaluates from the page, and shows what looprpt eval says', async () => {
    const tab = await open('depth');
    const id = await evaluate(tab, 1500);
    await poll(() => item(tab, id).getAttribute('data-state')).toBe('done');
    await poll(() => tab.locator('#depth-name').textContent()).toBe('trained on task:hop');
    const expected = await judge(trained, {
      ...{ data: { task: 'hop', seed: 0 }, compareWith: BASE, maxTokens: 1500, thresholds: [0.3, 0.5, 0.8] },
      ...{ device: 'cpu', threads: 1 },
    });
    const cells = await tab.locator('#depth-table tbody td').allTextContents();
    expect(cells).toEqual(
      expected.perLoop.flatMap(({ loop, accuracy, crossEntropy }) => [
        ...[String(loop), (100 * accuracy).toFixed(2), crossEntropy.toFixed(3)],
      ]),
    );
    // The slider moves the operating point.
    for (const { tau, accuracy, meanLoops } of expected.adaptive) {
      await tab.locator('#depth-threshold').fill(String(tau));
      const words = `At τ = ${tau}: accuracy ${(100 * accuracy).toFixed(2)} %, ${meanLoops.toFixed(2)} mean loops`;
      expect(await tab.locator('#depth-point').textContent()).toContain(words);
    }
    expect(await tab.locator('#depth-intervals tbody tr').count()).toBe(expected.comparisons!.length);
    expect(await tab.locator('#depth-intervals h3').textContent()).toBe(`trained minus ${BASE}`);
    for (const plot of ['pareto', 'accuracy', 'entropy', 'calibration'])
      expect(await tab.locator(`#depth-${plot} svg[role="img"]`).count()).toBe(1);
    const json = await (await fetch(new URL(`/api/evaluations/${id}`, server.url))).json();
    expect(json.perLoop).toEqual(expected.perLoop);
  });

  it('stops one where it is told to, and one that waits', async () => {
    const tab = await open('depth');
    const first = await evaluate(tab, 50_000_000);
    const second = await evaluate(tab, 50_000_000);
    await poll(() => item(tab, first).getAttribute('data-state')).toBe('running');
    expect(await item(tab, second).getAttribute('data-state')).toBe('waiting');
    expect(await item(tab, first).getByRole('progressbar').count()).toBe(1);
    for (const id of [second, first]) await item(tab, id).getByRole('button', { name: /Stop/ }).click();
    for (const id of [first, second]) await poll(() => item(tab, id).getAttribute('data-state')).toBe('stopped');
  });

  it('says why one failed, in its line', async () => {
    const tab = await open('depth');
    await tab.locator('#depth-data').fill('/no/such/file');
    const id = await evaluate(tab, 100);
    await poll(() => item(tab, id).getAttribute('data-state')).toBe('failed');
    expect(await item(tab, id).textContent()).toContain('/no/such/file');
  });

  it('talks to the model, token by token', async () => {
    await poll(async () => (await fetch(new URL('/ready', server.url))).status).toBe(200);
    const tab = await open('talk');
    const chat = tab.frameLocator('#talk-frame');
    // The model's own end tokens come early, and at random.
    await tab.route('**/v1/completions', (route) => {
      const body = { ...route.request().postDataJSON(), ignore_eos: true, max_tokens: 16 };
      return route.continue({ postData: JSON.stringify(body) });
    });
    await chat.getByText('Complete', { exact: true }).click();
    await chat.getByLabel('Text to continue').fill('map bd fb ia df gi ag ask b 2 f i 3');
    await chat.getByRole('button', { name: 'Continue' }).and(chat.locator(':enabled')).click();
    await chat.locator('.answer .token').first().waitFor();
    await chat.getByRole('button', { name: 'Continue' }).waitFor();
    expect(Number(await chat.locator('#mean-loops').textContent())).toBeGreaterThanOrEqual(1);
  });

  it('waits for a model that is being loaded, and asks for the key once', async () => {
    const args = [folder, '--model', BASE, '--threads', '1'];
    const locked = await ServerProcess.start(args, { LOOPRPT_API_KEY: 'sesame' }, 'studio');
    const tab = await openStudio(browser, new URL('#talk', locked.url), { expected: /401|503|ERR_/ });
    let asked = 0;
    await tab.route('**/v1/models', (route) => {
      const body = JSON.stringify({ error: { message: 'the model is being loaded', code: 'loading' } });
      return asked++ === 0 ? route.fulfill({ status: 503, body }) : route.continue();
    });
    await tab.getByLabel(/API key/).fill('wrong');
    await tab.keyboard.press('Enter');
    await poll(() => tab.getByRole('alert').textContent()).toMatch(/not the right one/);
    // Nothing is known of a model yet.
    expect(await tab.getByText('To talk to a model').isVisible()).toBe(false);
    await tab.getByLabel(/API key/).fill('sesame');
    await tab.keyboard.press('Enter');
    const chat = tab.frameLocator('#talk-frame');
    await chat.getByText('the model is being loaded').waitFor();
    await chat.getByText('hop-base, 4 loops').waitFor();
    expect(asked).toBeGreaterThan(1);
    expect(await chat.getByRole('alert').isVisible()).toBe(false);
    await locked.stop();
  });

  it('draws figures that stand alone, and a report', async () => {
    const tab = await open('runs');
    await tab.locator('.panel svg').first().waitFor();
    await tab.getByRole('link', { name: 'Figures' }).click();
    await tab.getByRole('button', { name: 'Draw' }).click();
    const figure = tab.locator('[data-figure="training"]');
    await figure.waitFor();
    await poll(() => figure.locator('img').evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(
      100,
    );
    const file = async (name: RegExp): Promise<string> => {
      const [download] = await Promise.all([
        tab.waitForEvent('download'),
        tab.getByRole('button', { name }).first().click(),
      ]);
      return readFileSync(await download.path(), 'utf8');
    };
    expect(await file(/Training: the figure as SVG/)).toMatch(/^<svg[^>]*xmlns.*<\/svg>\s*$/s);
    const report = await file(/Report as HTML/);
    expect(report).toContain("default-src 'none'");
    expect(report).toContain('<h2>Training</h2>');
  });

  it.each(['light', 'dark'] as const)('have nothing that axe finds: %s', async (colorScheme) => {
    const tab = await open('depth', { colorScheme, viewport: { width: 400, height: 900 } });
    const id = await evaluate(tab, 500);
    await poll(() => item(tab, id).getAttribute('data-state')).toBe('done');
    await tab.locator('#depth-result').waitFor();
    expect(await violations(tab)).toEqual([]);
    for (const room of ['Figures', 'Talk']) {
      await tab.getByRole('link', { name: room }).click();
      if (room === 'Figures') {
        await tab.getByRole('button', { name: 'Draw' }).click();
        await tab.locator('[data-figure] img').first().waitFor();
      } else await tab.frameLocator('#talk-frame').getByLabel('Exit threshold').waitFor();
      expect(await violations(tab)).toEqual([]);
    }
    expect(await tab.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  });
});
