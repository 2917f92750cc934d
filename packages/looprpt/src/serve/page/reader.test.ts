/** The page and its readers, in a real browser: what a reload keeps, a phone, colours that are forced, and what axe finds in each state. */
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { findBrowser, openBrowser } from '../../../test-support/serve/browser.js';
import { ServerProcess } from '../../../test-support/serve/server-process.js';
import { openStudio, violations } from '../../../test-support/studio/reader.js';

const MODEL = fileURLToPath(new URL('../../../models/hop-base', import.meta.url));
const LENGTH = 20_000;
const SERVE = ['--model', MODEL, '--threads', '1', '--max-batch', '2', '--max-length', String(LENGTH)];
const PHONE = { width: 400, height: 800 };
const executable = findBrowser();
const WHY = executable === null ? ' (skipped: no Chromium found; CHROME_PATH names one)' : '';

describe.skipIf(executable === null)(`a reader of the page${WHY}`, () => {
  let server: ServerProcess;
  let browser: Browser;

  beforeAll(async () => {
    [server, browser] = await Promise.all([ServerProcess.start(SERVE), openBrowser(executable!)]);
  });
  afterAll(async () => {
    await browser.close();
    expect(await server.stop()).toBe(0);
  });

  async function open(
    options: BrowserContextOptions & { expected?: RegExp } = {},
    url: URL = server.url,
  ): Promise<Page> {
    const tab = await openStudio(browser, url, { bypassCSP: true, ...options });
    // The model's own end tokens come early, and at random.
    await tab.route('**/v1/*completions', (route) =>
      route.continue({ postData: JSON.stringify({ ...route.request().postDataJSON(), ignore_eos: true }) }),
    );
    await ready(tab);
    return tab;
  }

  const ready = (tab: Page): Promise<void> => tab.locator('#send:enabled').waitFor();

  async function ask(tab: Page, tokens: number): Promise<void> {
    await tab.getByLabel('Most tokens').fill(String(tokens));
    await tab.locator('#send').click();
    await ended(tab);
  }

  const ended = (tab: Page): Promise<void> => tab.locator('#send').waitFor();

  /** All that is shown of the conversation, tokens with their loops. */
  const shown = (tab: Page): Promise<unknown> =>
    tab.evaluate(() => ({
      mode: document.querySelector<HTMLInputElement>('input[name=mode]:checked')?.value,
      turns: [...document.querySelectorAll('.turn')].map((turn) => ({
        kind: turn.className,
        text: turn.textContent,
        tokens: [...turn.querySelectorAll<HTMLElement>('.token')].map(({ dataset }) => [dataset.text, dataset.loops]),
      })),
      mean: document.querySelector('#mean-loops')?.textContent,
      exits: document.querySelector('#exits')?.textContent,
    }));

  it('finds mode and conversation again after a reload, and goes on with it; Clear forgets both ways', async () => {
    const tab = await open();
    await ask(tab, 12);
    await tab.getByText('Chat', { exact: true }).click();
    await tab.getByLabel('Message').fill('one');
    await ask(tab, 9);
    const before = await shown(tab);
    expect(before).toMatchObject({ mode: 'chat', turns: [{ kind: 'turn complete' }, { kind: 'turn chat' }] });
    await tab.reload();
    await ready(tab);
    expect(await shown(tab)).toEqual(before);
    const sent: string[] = [];
    tab.on('request', (request) => sent.push(request.postData() ?? ''));
    await tab.getByLabel('Message').fill('two');
    await ask(tab, 9);
    const { messages } = JSON.parse(sent.find((body) => body !== '')!);
    expect(messages.map(({ role, content }: Record<string, string>) => (role === 'user' ? content : role))).toEqual([
      'one',
      'assistant',
      'two',
    ]);
    await tab.getByRole('button', { name: 'Clear' }).click();
    await tab.reload();
    await ready(tab);
    expect(await shown(tab)).toMatchObject({ mode: 'chat', turns: [], mean: '–' });
    expect(await tab.getByRole('button', { name: 'Run again' }).isDisabled()).toBe(true);
  });

  it('keeps an answer as far as it came when the page is left', async () => {
    const tab = await open();
    await tab.getByLabel('Most tokens').fill(String(LENGTH - 200));
    await tab.locator('#send').click();
    await tab.locator('.answer .token').nth(20).waitFor();
    await tab.reload();
    await ready(tab);
    expect(await tab.locator('.answer .token').count()).toBeGreaterThan(20);
    expect(await tab.locator('.answer.busy').count()).toBe(0);
    expect(await tab.locator('.note').textContent()).toBe('Not finished.');
  });

  it('keeps no API key', async () => {
    const locked = await ServerProcess.start(SERVE, { LOOPRPT_API_KEY: 'sesame' });
    onTestFinished(async () => void (await locked.stop()));
    const tab = await openStudio(browser, locked.url, { expected: /401/ });
    await tab.locator('#key').fill('sesame');
    await tab.locator('#key').press('Enter');
    await ready(tab);
    await ask(tab, 5);
    const kept = await tab.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }]));
    expect(kept).toContain('turns');
    expect(kept).not.toContain('sesame');
    await tab.reload();
    await tab.getByRole('alert').waitFor();
    expect(await tab.locator('#key').inputValue()).toBe('');
  });

  it('has the whole page where the browser refuses to keep anything', async () => {
    const reader = await browser.newContext();
    const tab = await reader.newPage();
    const complaints: string[] = [];
    tab.on('pageerror', (error) => complaints.push(String(error)));
    onTestFinished(async () => {
      await reader.close();
      expect(complaints).toEqual([]);
    });
    await tab.addInitScript(() => {
      for (const name of ['localStorage', 'sessionStorage'])
        Object.defineProperty(window, name, {
          get() {
            throw new DOMException('refused', 'SecurityError');
          },
        });
    });
    await tab.goto(server.url.href);
    await ready(tab);
    await tab.getByRole('button', { name: 'dark colours' }).click();
    await ask(tab, 5);
    expect(await tab.locator('html').getAttribute('data-theme')).toBe('dark');
    await tab.reload();
    await ready(tab);
    expect(await tab.locator('.turn').count()).toBe(0);
  });

  it('has the threshold beside the text on a phone, whatever is scrolled to, and nothing to scroll sideways', async () => {
    const tab = await open({ viewport: PHONE });
    await ask(tab, 400);
    for (const share of [0, 0.5, 1]) {
      await tab.evaluate((part) => {
        const paper = document.querySelector('.paper')!.getBoundingClientRect();
        scrollTo(0, scrollY + paper.top + part * Math.max(0, paper.height - innerHeight / 2));
      }, share);
      const seen = await tab.evaluate(() => {
        const isSeen = (element: Element): boolean => {
          const { top, bottom, left, width } = element.getBoundingClientRect();
          const at = document.elementFromPoint(left + width / 2, (top + bottom) / 2);
          return at !== null && element.contains(at);
        };
        return {
          threshold: isSeen(document.querySelector('#threshold')!),
          tokens: [...document.querySelectorAll('.token')].filter(isSeen).length,
        };
      });
      expect(seen.threshold).toBe(true);
      expect(seen.tokens).toBeGreaterThan(20);
    }
    expect(await tab.evaluate(() => document.documentElement.scrollWidth)).toBe(PHONE.width);
  });

  it('paints no space at the end of a line as if it were a token of its own', async () => {
    const tab = await open({ viewport: PHONE });
    await ask(tab, 200);
    const words = tab.locator('.answer .token:not(.space, .break, .part)');
    const pieces = await words.evaluateAll((tokens) => tokens.map((token) => token.getClientRects().length));
    expect(pieces.length).toBeGreaterThan(100);
    expect(new Set(pieces)).toEqual(new Set([1]));
  });

  it('sees the loops of a token where the system forces its colours', async () => {
    const tab = await open({ forcedColors: 'active' });
    await ask(tab, 60);
    const bars = await tab.locator('.answer .token').evaluateAll((tokens) =>
      tokens.map((token) => {
        const { borderBottomWidth, borderBottomColor, backgroundColor } = getComputedStyle(token);
        return {
          loops: (token as HTMLElement).dataset.loops,
          width: borderBottomWidth,
          isSeen: borderBottomColor !== backgroundColor,
        };
      }),
    );
    expect(bars.every(({ isSeen }) => isSeen)).toBe(true);
    const loops = new Set(bars.map((bar) => bar.loops));
    expect(loops.size).toBeGreaterThan(1);
    expect(new Set(bars.map(({ loops: count, width }) => `${count} ${width}`)).size).toBe(loops.size);
    const [track, bar] = await tab
      .locator('#exits tr:last-child')
      .evaluate((row) => [
        getComputedStyle(row).backgroundColor,
        getComputedStyle(row.querySelector('.bar')!).backgroundColor,
      ]);
    expect(bar).not.toBe(track);
  });

  it('has targets of 24 pixels', async () => {
    const tab = await open({ viewport: PHONE });
    await tab.locator('summary').click();
    await ask(tab, 5);
    const small = await tab.evaluate(() =>
      [...document.querySelectorAll('button, input, summary, textarea')].flatMap((element) => {
        const target = element.closest('label') ?? element;
        const { width, height } = target.getBoundingClientRect();
        return width === 0 || (width >= 24 && height >= 24) ? [] : [`${element.id} ${width} × ${height}`];
      }),
    );
    expect(small).toEqual([]);
  });

  describe.each(['light', 'dark'] as const)('in %s colours', (colorScheme) => {
    it.each([
      ['wide', { width: 1280, height: 800 }],
      ['narrow', PHONE],
    ])('is not hindered by anything that axe finds, %s: empty, answered, refused', async (_, viewport) => {
      const tab = await open({ viewport, colorScheme, expected: /429/ });
      expect(await violations(tab)).toEqual([]);
      await tab.getByText('Chat', { exact: true }).click();
      expect(await violations(tab)).toEqual([]);
      await tab.getByText('Complete', { exact: true }).click();
      await tab.locator('summary').click();
      await tab.getByLabel('Show numbers').check();
      await ask(tab, 60);
      await tab.locator('.answer .token').first().focus();
      expect(await violations(tab)).toEqual([]);
      await tab.route('**/v1/completions', (route) => route.fulfill({ status: 429, body: '{}' }));
      await tab.getByRole('button', { name: 'Run again' }).click();
      await tab.getByRole('alert').waitFor();
      expect(await violations(tab)).toEqual([]);
    });
  });
});
