/** The page in a real browser on a real server, with the small model that comes with the package. */
import { fileURLToPath } from 'node:url';
import type { Browser, Page, Route } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { findBrowser, openBrowser } from '../../../test-support/serve/browser.js';
import { ServerProcess } from '../../../test-support/serve/server-process.js';
import { streamOnce } from '../../../test-support/serve/stream-client.js';
import { page } from './page.js';

const MODEL = fileURLToPath(new URL('../../../models/hop-base', import.meta.url));
const PROMPT = 'map bd fb ia df gi ag ask b 2 f i 3';
const LENGTH = 20_000;
const SERVE = ['--model', MODEL, '--threads', '1', '--max-batch', '2', '--max-length', String(LENGTH)];
const PATIENCE_MS = 45_000;
const executable = findBrowser();
const WHY = executable === null ? ' (skipped: no Chromium found; CHROME_PATH names one)' : '';

describe('the page as it is sent', () => {
  const html = page('/')!;

  it('names only files that are there', () => {
    const paths = [...html.body.matchAll(/(?:src|href)="(\/[^"]*)"/g)].map(([, path]) => path!);
    expect(paths.length).toBeGreaterThan(1);
    for (const path of paths) expect(page(path)).not.toBeNull();
  });

  it('forbids what does not come from the server, and has no scripts or styles inside', () => {
    expect(html.headers['content-security-policy']).toMatch(/default-src 'none'/);
    expect(html.headers['content-security-policy']).not.toMatch(/unsafe/);
    expect(html.body).not.toMatch(/<style|<script(?![^>]*src=)|\son\w+=|\sstyle=/);
  });

  it('has nothing else, whatever the path', () => {
    for (const path of ['', '/page/', '/page/page.ts', '/page/../package.json', '/page/serve/page/page.js'])
      expect(page(path)).toBeNull();
  });
});

/** The model's own end tokens come early, and at random. */
function goingOn(route: Route, change: { max_tokens?: number }): Promise<void> {
  return route.continue({
    postData: JSON.stringify({ ...route.request().postDataJSON(), ...change, ignore_eos: true }),
  });
}

describe.skipIf(executable === null)(`the page in a browser${WHY}`, () => {
  let server: ServerProcess;
  let browser: Browser;

  beforeAll(async () => {
    [server, browser] = await Promise.all([ServerProcess.start(SERVE), openBrowser(executable!)]);
  });
  afterAll(async () => {
    await browser.close();
    expect(await server.stop()).toBe(0);
  });

  /** A new reader's page; what its console says against it fails the test. */
  async function open(url: URL = server.url, expected: RegExp = /^$/): Promise<Page> {
    const context = await browser.newContext();
    const tab = await context.newPage();
    tab.setDefaultTimeout(PATIENCE_MS);
    const complaints: string[] = [];
    tab.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    tab.on('pageerror', (error) => complaints.push(error.message));
    onTestFinished(async () => {
      await context.close();
      expect(complaints.filter((line) => !expected.test(line))).toEqual([]);
    });
    await tab.route('**/v1/completions', (route) => goingOn(route, {}));
    await tab.goto(url.href);
    // Not typed: the focus stays where the page has put it.
    await tab.getByLabel('Most tokens').evaluate((field: HTMLInputElement) => {
      field.value = '32';
    });
    return tab;
  }

  /** To the length limit, so that there is something to stop. */
  const endless = (route: Route): Promise<void> => goingOn(route, { max_tokens: LENGTH - 100 });

  /** Sends a prompt to be continued. */
  async function ask(tab: Page, text = PROMPT): Promise<void> {
    await tab.getByText('Complete', { exact: true }).click();
    await tab.getByLabel('Text to continue').fill(text);
    await tab.getByRole('button', { name: 'Continue' }).click();
  }

  const ended = (tab: Page): Promise<void> => tab.getByRole('button', { name: 'Continue' }).waitFor();
  const loopsOf = (tab: Page): Promise<number[]> =>
    tab
      .locator('.answer .token')
      .evaluateAll((tokens) => tokens.map((token) => Number((token as HTMLElement).dataset.loops)));
  const meanOf = (loops: readonly number[]): string =>
    (loops.reduce((sum, count) => sum + count, 0) / loops.length).toFixed(2);
  const setSlider = (tab: Page, label: string, value: string): Promise<void> => tab.getByLabel(label).fill(value);

  it('shows every token with the loops that it took, as the API tells them', async () => {
    const tab = await open();
    await setSlider(tab, 'Temperature', '0');
    await ask(tab);
    await ended(tab);
    const alone = await streamOnce(server.url, {
      path: '/v1/completions',
      body: {
        prompt: PROMPT,
        stream: true,
        max_tokens: 32,
        temperature: 0,
        seed: 0,
        ignore_eos: true,
        loop: { report: true, exit_threshold: 0.7, max_loops: 4 },
      },
    });
    if (alone.kind !== 'done') throw new Error(alone.kind);
    const { loops, text } = alone.texts[0]!;
    expect(await tab.locator('.answer .tokens').textContent()).toBe(text);
    expect(await loopsOf(tab)).toEqual(loops);
    expect(new Set(loops).size).toBeGreaterThan(1);
    // The figures beside it count the same tokens.
    expect(await tab.locator('#mean-loops').textContent()).toBe(meanOf(loops));
    const bars = await tab.locator('#exits .count').allTextContents();
    expect(bars.map((bar) => Number.parseInt(bar, 10))).toEqual(
      [1, 2, 3, 4].map((loop) => loops.filter((one) => one === loop).length),
    );
    // Tokens of different loops look different, and the number is there for who sees no colours.
    const looks = await tab
      .locator('.answer .token')
      .evaluateAll((tokens) =>
        tokens.map((token) => `${getComputedStyle(token).backgroundColor} ${getComputedStyle(token).boxShadow}`),
      );
    expect(new Set(looks).size).toBe(new Set(loops).size);
    await tab.locator('.answer .token').first().hover();
    expect(await tab.getByRole('tooltip').textContent()).toContain(`${loops[0]} of 4 loops`);
  });

  it('asks for what the sliders say', async () => {
    const tab = await open();
    await setSlider(tab, 'Exit threshold', '1');
    await ask(tab);
    await ended(tab);
    expect(new Set(await loopsOf(tab))).toEqual(new Set([4]));
    await setSlider(tab, 'Exit threshold', '0');
    await tab.getByRole('button', { name: 'Run again' }).click();
    await ended(tab);
    expect(new Set(await loopsOf(tab))).toEqual(new Set([1]));
    await setSlider(tab, 'Exit threshold', '1');
    await setSlider(tab, 'Most loops', '2');
    await tab.getByRole('button', { name: 'Run again' }).click();
    await ended(tab);
    expect(new Set(await loopsOf(tab))).toEqual(new Set([2]));
    expect(await tab.locator('.answer').count()).toBe(1);
  });

  it('repeats a text by its seed', async () => {
    const tab = await open();
    const texts = [];
    await setSlider(tab, 'Temperature', '1.5');
    await ask(tab);
    await ended(tab);
    for (const seed of ['0', '7', '0']) {
      await tab.getByLabel('Seed').fill(seed);
      await tab.getByRole('button', { name: 'Run again' }).click();
      await ended(tab);
      texts.push(await tab.locator('.answer .tokens').textContent());
    }
    expect(texts[0]).toBe(texts[2]);
    expect(texts[1]).not.toBe(texts[0]);
  });

  it('chats, the earlier messages going along, by the keyboard alone', async () => {
    const tab = await open();
    const sent: { role: string; content: string }[][] = [];
    await tab.route('**/v1/chat/completions', async (route) => {
      sent.push(route.request().postDataJSON().messages);
      await route.continue();
    });
    expect(await tab.getByLabel('Text to continue').inputValue()).toContain('map');
    await tab.getByLabel('Complete', { exact: true }).focus();
    await tab.keyboard.press('ArrowLeft');
    await tab.getByLabel('Most tokens').fill('8');
    expect(await tab.getByLabel('Message').inputValue()).toBe('');
    await tab.getByLabel('Message').focus();
    for (const text of ['one', 'two']) {
      await tab.keyboard.type(text);
      await tab.keyboard.press('Enter');
      await tab.getByRole('button', { name: 'Send' }).waitFor();
    }
    const answer = await tab.locator('.answer .tokens').first().textContent();
    expect(sent).toEqual([
      [{ role: 'user', content: 'one' }],
      [
        { role: 'user', content: 'one' },
        { role: 'assistant', content: answer },
        { role: 'user', content: 'two' },
      ],
    ]);
  });

  it('tells a token and its loops at the keyboard', async () => {
    const tab = await open();
    await setSlider(tab, 'Temperature', '0');
    await ask(tab);
    await ended(tab);
    const tokens = tab.locator('.answer .token');
    expect(await tab.locator('.answer .token[tabindex="0"]').count()).toBe(1);
    await tokens.first().focus();
    await tab.keyboard.press('ArrowRight');
    await tab.keyboard.press('ArrowRight');
    const loops = (await loopsOf(tab))[2];
    expect(await tokens.nth(2).evaluate((token) => token === document.activeElement)).toBe(true);
    expect(await tokens.nth(2).getAttribute('aria-description')).toBe(`${loops} of 4 loops`);
    expect(await tab.getByRole('tooltip').textContent()).toContain(`${loops} of 4 loops`);
  });

  async function running(url: URL): Promise<number> {
    const metrics = await (await fetch(new URL('/metrics', url))).text();
    return Number(/^looprpt_batch_size (\d+)$/m.exec(metrics)![1]);
  }

  it('stops where it is told to, and the server with it', async () => {
    const tab = await open();
    await tab.route('**/v1/completions', endless);
    await ask(tab);
    await tab.locator('.answer .token').nth(20).waitFor();
    expect(await tab.getByRole('button', { name: 'Run again' }).isDisabled()).toBe(true);
    expect(await running(server.url)).toBe(1);
    await tab.getByRole('button', { name: 'Stop' }).click();
    await ended(tab);
    expect(await tab.locator('.note').textContent()).toBe('Stopped.');
    const tokens = await tab.locator('.answer .token').count();
    expect(tokens).toBeLessThan(LENGTH - 100);
    expect(await tab.getByRole('status').textContent()).toMatch(`Stopped: ${tokens} tokens`);
    await expect.poll(() => running(server.url), { timeout: PATIENCE_MS }).toBe(0);
    // Escape does the same.
    await tab.getByRole('button', { name: 'Run again' }).click();
    await tab.locator('.answer .token').nth(20).waitFor();
    await tab.keyboard.press('Escape');
    await ended(tab);
    await expect.poll(() => running(server.url), { timeout: PATIENCE_MS }).toBe(0);
  });

  it('says that a request was refused, and why', async () => {
    const tab = await open(server.url, /400/);
    await tab.getByLabel('Most tokens').fill(String(LENGTH + 1));
    await ask(tab);
    await tab.getByRole('alert').waitFor();
    expect(await tab.getByRole('alert').textContent()).toMatch(/refused \(400\).*20000 tokens/);
  });

  it('keeps what the reader set before the model was known', async () => {
    const tab = await browser.newPage();
    onTestFinished(() => tab.close());
    tab.setDefaultTimeout(PATIENCE_MS);
    let answer = (): void => {};
    const asked = new Promise<void>((resolve) => {
      answer = resolve;
    });
    await tab.route('**/v1/models', async (route) => {
      await asked;
      await route.continue();
    });
    await tab.goto(server.url.href);
    await tab.getByText('Complete', { exact: true }).click();
    await setSlider(tab, 'Exit threshold', '0.35');
    answer();
    await expect.poll(() => tab.locator('#send').isEnabled(), { timeout: PATIENCE_MS }).toBe(true);
    expect(await tab.locator('#send').textContent()).toBe('Continue');
    expect(await tab.getByLabel('Exit threshold').inputValue()).toBe('0.35');
  });

  it('asks for the key where the server does', async () => {
    const locked = await ServerProcess.start(SERVE, { LOOPRPT_API_KEY: 'sesame' });
    onTestFinished(async () => void (await locked.stop()));
    const tab = await open(locked.url, /401/);
    await tab.getByRole('alert').waitFor();
    expect(await tab.getByRole('alert').textContent()).toContain('API key');
    const field = tab.locator('#key');
    expect(await field.evaluate((element) => element === document.activeElement)).toBe(true);
    await field.fill('sesame');
    await field.press('Enter');
    await tab.getByLabel('Text to continue').waitFor();
    await ask(tab);
    await ended(tab);
    expect(await tab.getByRole('alert').isVisible()).toBe(false);
    expect(await tab.locator('.answer .token').count()).toBeGreaterThan(0);
  });

  it('says that the server is busy, that an answer broke off, and that the server is away', async () => {
    const small = await ServerProcess.start([...SERVE, '--max-batch', '1', '--queue', '0']);
    onTestFinished(async () => void (await small.stop('SIGKILL')));
    const first = await open(small.url, /ERR_|Failed to load/);
    const second = await open(small.url, /429/);
    await first.route('**/v1/completions', endless);
    await ask(first);
    await first.locator('.answer .token').first().waitFor();
    await ask(second);
    await second.getByRole('alert').waitFor();
    expect(await second.getByRole('alert').textContent()).toMatch(/busy.*Try again in \d+ second/);
    await small.stop('SIGKILL');
    await first.getByRole('alert').waitFor();
    expect(await first.getByRole('alert').textContent()).toContain('broke off');
    expect(await first.locator('.answer .token').count()).toBeGreaterThan(0);
    await first.getByRole('button', { name: 'Try again' }).click();
    await first.getByText('does not answer').waitFor();
  });
});
