/** The room of runs in a real browser: live runs, a run that is killed and resumed, several laid over each other, hostile names. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROGRAM } from '../../test-support/program.js';
import { findBrowser, openBrowser } from '../../test-support/serve/browser.js';
import { ServerProcess } from '../../test-support/serve/server-process.js';
import { openStudio, violations } from '../../test-support/studio/reader.js';
import { TINY_TASK, tinyRun } from '../../test-support/tiny-run.js';

const executable = findBrowser();
const WHY = executable === null ? ' (skipped: no Chromium found; CHROME_PATH names one)' : '';
const HOSTILE = '<img src=x onerror=alert(1)> & "quotes"';
const STEPS = 600;

/** Metrics of a run that ended; the loss of step n is `loss(n)`. */
function writeRun(folder: string, steps: number, loss: (step: number) => number): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ steps }));
  const lines = Array.from({ length: steps }, (_, i) => {
    const step = i + 1;
    const exits = { exitHistogram: [0.1, 0.2, 0.3, 0.4], meanLoops: 3, exitEntropy: 1.2, rewardByLoop: [0, 1, 2, 3] };
    const speed = { tokens: step, seconds: step, tokensPerSecond: 2000, learningRate: 1, memoryBytes: 2 ** 30 };
    return JSON.stringify({ step, loss: loss(step), parts: { [HOSTILE]: 1 }, gradientNorm: step, ...exits, ...speed });
  });
  writeFileSync(join(folder, 'metrics.jsonl'), `${lines.join('\n')}\n`);
}

describe.skipIf(executable === null)(`the room of runs${WHY}`, () => {
  let folder: string;
  let server: ServerProcess;
  let browser: Browser;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'looprpt-studio-'));
    writeRun(join(folder, 'a'), 300, (step) => (step === 200 ? 50 : 5 - step / 100));
    writeRun(join(folder, 'b'), 300, (step) => 4 - step / 100);
    writeRun(join(folder, HOSTILE), 10, () => 1);
    [server, browser] = await Promise.all([ServerProcess.start([folder], {}, 'studio'), openBrowser(executable!)]);
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    if (server) expect(await server.stop()).toBe(0);
    rmSync(folder, { recursive: true });
  });

  const poll = <T>(look: () => T | Promise<T>) => expect.poll(look, { timeout: 45_000 });
  const panel = (tab: Page, quantity: string) => tab.locator(`.panel[data-quantity="${quantity}"]`);
  const row = (tab: Page, name: string) => tab.locator('.run').filter({ has: tab.getByText(name, { exact: true }) });
  /** Only these. The page's own first choice comes with the list, and would undo what was chosen before it. */
  async function choose(tab: Page, ...names: string[]): Promise<void> {
    await tab.locator('.run').first().waitFor();
    await tab.getByRole('button', { name: 'None' }).click();
    for (const name of names) await tab.getByRole('checkbox', { name, exact: true }).check();
    await panel(tab, 'loss').locator('svg').waitFor();
  }

  it('lists runs with their state, and lays those that are chosen over each other', async () => {
    const tab = await openStudio(browser, server.url);
    await choose(tab, 'a', 'b');
    await poll(() => panel(tab, 'loss').locator('svg [data-label="a"], svg [data-label="b"]').count()).toBe(2);
    expect(await row(tab, 'a').textContent()).toContain('finished');
    expect(await row(tab, 'a').textContent()).toContain('step 300 of 300');
    const titles = await tab.locator('.panel h2').allTextContents();
    expect(titles.slice(0, 5)).toEqual([
      'Loss',
      'Mean loops',
      'Exits by loop: a',
      'Exits by loop: b',
      `Loss part: ${HOSTILE}`,
    ]);
    expect(titles).toEqual(expect.arrayContaining(['Exits by loop: a', 'Reward after loop 4', 'Gradient norm']));
    // The same step in every panel.
    await tab.getByLabel('Read at step').fill('100');
    await poll(() => panel(tab, 'loss').locator('.reading').textContent()).toBe('a 4b 3');
    await panel(tab, 'gradientNorm').scrollIntoViewIfNeeded();
    await poll(() => panel(tab, 'gradientNorm').locator('.reading').textContent()).toBe('a 100b 100');
    const heat = tab.locator('.panel.heat').first();
    await heat.scrollIntoViewIfNeeded();
    await poll(() => heat.locator('p').textContent()).toBe('Share by exit loop: 1: 10 %, 2: 20 %, 3: 30 %, 4: 40 %');
  });

  it.each([
    { asked: 'None', chosen: 0 },
    { asked: 'All', chosen: 3 },
  ])('does as the reader asks before there is a list: $asked', async ({ asked, chosen }) => {
    const tab = await openStudio(browser, server.url, { expected: /ERR_/ });
    await tab.locator('.run').first().waitFor();
    let letIn = (): void => {};
    const held = new Promise<void>((go) => {
      letIn = go;
    });
    await tab.route('**/api/events', async (route) => {
      await held;
      await route.continue();
    });
    await tab.reload();
    await tab.getByRole('button', { name: asked }).click();
    letIn();
    await tab.locator('.run').nth(2).waitFor();
    expect(await tab.locator('.run input:checked').count()).toBe(chosen);
    expect(await tab.getByText('Choose a run to see its curves.').isVisible()).toBe(chosen === 0);
  });

  it('zooms by dragging and by the keyboard, and exports what it shows', async () => {
    const tab = await openStudio(browser, server.url);
    await choose(tab, 'a');
    const box = (await panel(tab, 'loss').locator('.plot-box').boundingBox())!;
    await tab.mouse.move(box.x + box.width * 0.5, box.y + 80);
    await tab.mouse.down();
    await tab.mouse.move(box.x + box.width * 0.8, box.y + 80, { steps: 4 });
    await tab.mouse.up();
    await poll(() => tab.getByLabel('First step shown').inputValue()).not.toBe('');
    const from = Number(await tab.getByLabel('First step shown').inputValue());
    expect(from).toBeGreaterThan(100);
    expect(Number(await tab.getByLabel('Last step shown').inputValue())).toBeGreaterThan(from);
    await tab.getByLabel('First step shown').fill('195');
    await tab.getByLabel('Last step shown').fill('205');
    await tab.keyboard.press('Enter');
    await poll(() => csv(tab)).toMatch(/^run,step,loss mean,loss min,loss max\na,195,3.05,/);
    expect(await csv(tab)).toContain('\na,200,50,50,50\n');
    expect((await csv(tab)).trim().split('\n').length).toBe(12);
    await tab.getByRole('button', { name: 'Whole run' }).click();
    await poll(async () => (await csv(tab)).split('\n').length).toBe(302);
    const exits = tab.locator('.panel.heat').first();
    await exits.scrollIntoViewIfNeeded();
    expect(await csv(tab, exits)).toMatch(/^run,step,share mean,share min,share max\n"a, loop 1",1,0.1,0.1,0.1\n/);
    await tab.getByLabel('Log steps').check();
    await tab.getByLabel('Log values').check();
    await tab.getByLabel('Smoothing').fill('0.9');
    const [file] = await Promise.all([
      tab.waitForEvent('download'),
      panel(tab, 'loss').getByRole('button', { name: /SVG/ }).click(),
    ]);
    const svg = readFileSync(await file.path(), 'utf8');
    expect(svg).toMatch(/^<svg[^>]*>/);
    expect(svg).toContain('>a</text>');
    expect(svg).not.toMatch(/var\(--|<script/);
  });

  async function csv(tab: Page, place = panel(tab, 'loss')): Promise<string> {
    const [file] = await Promise.all([
      tab.waitForEvent('download'),
      place.getByRole('button', { name: /CSV/ }).click(),
    ]);
    return readFileSync(await file.path(), 'utf8');
  }

  it('takes names for text', async () => {
    const tab = await openStudio(browser, server.url);
    tab.on('dialog', () => expect.unreachable('a name was taken for a program'));
    await choose(tab, HOSTILE);
    expect(await row(tab, HOSTILE).locator('label').textContent()).toBe(HOSTILE);
    expect(await tab.locator('img').count()).toBe(0);
  });

  it('shows a run that is started, killed and resumed while the page is open', async () => {
    const tiny = await tinyRun();
    const out = join(folder, 'live');
    const config = join(folder, 'live.json');
    const { out: _, ...settings } = tiny.config(out, {
      steps: STEPS,
      data: { task: TINY_TASK },
      checkpoint: { every: 20, keep: 2, background: false },
    });
    writeFileSync(config, JSON.stringify(settings));
    const tab = await openStudio(browser, server.url);
    await tab.locator('.run').first().waitFor();
    const first = train(config, out);
    const live = row(tab, 'live');
    await live.waitFor();
    await choose(tab, 'live');
    await poll(() => live.textContent()).toContain('running');
    await poll(() => live.textContent()).toMatch(/loss [\d.]+.*left/);
    const before = await stepOf(live);
    await poll(() => stepOf(live)).toBeGreaterThan(Math.max(before, 45));
    first.kill('SIGKILL');
    await once(first, 'close');
    await poll(() => live.textContent()).toContain('stopped');
    const killed = await stepOf(live);
    expect(killed).toBeLessThan(STEPS);
    const second = train(config, out, '--resume');
    await poll(() => live.textContent()).toContain('running');
    await once(second, 'close');
    await poll(() => live.textContent()).toContain('finished');
    expect(await stepOf(live)).toBe(STEPS);
    // The curve is there to the end without a reload, each step once.
    await tab.getByLabel('First step shown').fill(String(STEPS - 99));
    await tab.getByLabel('Last step shown').fill(String(STEPS));
    await tab.keyboard.press('Enter');
    await poll(async () => (await csv(tab)).trim().split('\n').length).toBe(101);
  }, 180_000);

  async function stepOf(live: ReturnType<Page['locator']>): Promise<number> {
    return Number(/step (\d+)/.exec((await live.textContent()) ?? '')?.[1] ?? 0);
  }

  function train(config: string, out: string, ...more: string[]): ChildProcess {
    const args = [PROGRAM, 'train', '--config', config, '--out', out, '--quiet', ...more];
    return spawn(process.execPath, args, { stdio: 'inherit' });
  }

  it('says that it is not connected, and goes on by itself', async () => {
    const lone = await ServerProcess.start([join(folder, 'a')], {}, 'studio');
    const tab = await openStudio(browser, lone.url, { expected: /ERR_|Failed to load/ });
    await tab.locator('.run').first().waitFor();
    await lone.stop('SIGKILL');
    await poll(() => tab.getByRole('alert').textContent()).toMatch(/broke off|does not answer/);
    const again = await ServerProcess.start([join(folder, 'a'), '--port', lone.url.port], {}, 'studio');
    await poll(() => tab.locator('#connection').textContent()).toBe('live');
    await again.stop();
  });

  it('asks for the key where the server does', async () => {
    const locked = await ServerProcess.start([join(folder, 'a')], { LOOPRPT_API_KEY: 'sesame' }, 'studio');
    const tab = await openStudio(browser, locked.url, { expected: /401|ERR_/ });
    await tab.getByLabel(/API key/).fill('sesame');
    await tab.keyboard.press('Enter');
    await tab.locator('.run').first().waitFor();
    await locked.stop();
  });

  it.each([
    { colorScheme: 'light', width: 1400 },
    { colorScheme: 'dark', width: 1400 },
    { colorScheme: 'light', width: 400 },
    { colorScheme: 'dark', width: 3840 },
  ] as const)('has nothing that axe finds: $colorScheme, $width px wide', async ({ colorScheme, width }) => {
    const tab = await openStudio(browser, server.url, { colorScheme, viewport: { width, height: 900 } });
    await choose(tab, 'a', 'b');
    await tab.getByLabel('Read at step').fill('100');
    await poll(() => panel(tab, 'loss').locator('.reading').textContent()).toBe('a 4b 3');
    expect(await violations(tab)).toEqual([]);
    // Nothing sticks out sideways.
    expect(await tab.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  });
});
