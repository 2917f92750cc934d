/** The room of tokens in a real browser: what it shows is what the lens says, under one model and two, by mouse and keyboard. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findBrowser, openBrowser } from '../../test-support/serve/browser.js';
import { ServerProcess } from '../../test-support/serve/server-process.js';
import { openStudio, violations } from '../../test-support/studio/reader.js';
import { tinyRun } from '../../test-support/tiny-run.js';
import { lens } from '../eval/lens.js';
import { run } from '../train/run.js';
import { openModel } from '../train/state/open-model.js';
import type { TextSeen } from './models/protocol.js';
import { countedOf, exitLoop, gainsOf, meansOf } from './page/client/seen.js';

const BASE = fileURLToPath(new URL('../../models/hop-base', import.meta.url));
const TEXT = 'map bd fb ia df gi ag ask b 2 f i 3';
const executable = findBrowser();
const WHY = executable === null ? ' (skipped: no Chromium found; CHROME_PATH names one)' : '';

describe('gains', () => {
  const seen = (logprob: number, exits: number[]): TextSeen => ({
    ...{ model: 'm', loops: 2, tokenizer: 't' },
    tokens: [
      { id: 0, text: 'a', loops: null },
      {
        ...{ id: 1, text: 'b' },
        loops: exits.map((exit, k) => ({ logprob: logprob - k, entropy: 1, gate: exit, exit, top: [] })),
      },
    ],
  });

  it('are those at the loop where a token leaves', () => {
    const [gain] = gainsOf(seen(-3, [0.8, 0.2]), seen(-1, [0.4, 0.6]), 0.5);
    expect(gain).toMatchObject({ index: 1, loops: [1, 2], logprobs: [-3, -2], gain: 1, changed: true });
    expect(gainsOf(seen(-3, [1, 0]), seen(-3, [1, 0]), 0.5)[0]).toMatchObject({ gain: 0, changed: false });
  });

  it('are none where two models cut the text differently', () => {
    expect(gainsOf(seen(-3, [1, 0]), { ...seen(-1, [1, 0]), tokenizer: 'u' }, 0.5)).toEqual([]);
  });

  it('are of the tokens that the loss is of, where that is known', () => {
    const { tokens, ...rest } = seen(-3, [1, 0]);
    const text: TextSeen = {
      ...rest,
      tokens: [...tokens, { ...tokens[1]!, text: ' cd' }, { ...tokens[1]!, text: 'e' }],
    };
    // a, b, " cd", e: the range is that of d.
    const counted = countedOf(text, [[4, 5]]);
    expect([...counted!]).toEqual([2]);
    expect(countedOf(text, null)).toBe(null);
    expect(gainsOf(text, text, 0.5, counted).map(({ index }) => index)).toEqual([2]);
    expect(gainsOf(text, text, 0.5, null).length).toBe(3);
    expect(meansOf(text, 0.5, counted)).toEqual({ loops: 1, logprob: -3 });
    expect(meansOf(text, 0.5, new Set())).toBe(null);
  });

  it('leave at the last loop where the threshold is never reached', () => {
    const { loops } = seen(-1, [0.3, 0.3]).tokens[1]!;
    expect([0, 0.3, 0.31, 1].map((threshold) => exitLoop(loops!, threshold))).toEqual([1, 1, 2, 2]);
  });
});

describe.skipIf(executable === null)(`the room of tokens${WHY}`, () => {
  let folder: string;
  let server: ServerProcess;
  let browser: Browser;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'looprpt-studio-'));
    const tiny = await tinyRun();
    await run(tiny.config(join(folder, 'trained'), { model: { from: BASE }, steps: 2 }), false);
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

  async function open(options: Parameters<typeof openStudio>[2] = {}): Promise<Page> {
    const tab = await openStudio(browser, new URL('#tokens', server.url), options);
    await tab.getByRole('button', { name: 'Look' }).and(tab.locator(':enabled')).waitFor();
    return tab;
  }

  async function look(tab: Page, text: string, model: string, other = 'no other model'): Promise<void> {
    await tab.locator('#tokens-model').selectOption({ label: model });
    await tab.locator('#tokens-other').selectOption({ label: other });
    await tab.getByLabel('Text to look at').fill(text);
    await tab.getByRole('button', { name: 'Look' }).click();
    await tab
      .locator('.strip')
      .nth(other === 'no other model' ? 0 : 1)
      .waitFor();
    await tab.getByRole('button', { name: 'Look' }).and(tab.locator(':enabled')).waitFor();
  }

  it('shows what the lens says, at every threshold', async () => {
    const tab = await open();
    await look(tab, TEXT, BASE);
    using model = await openModel(BASE, { threads: 1, device: 'cpu' });
    const ids = Array.from(await model.tokenizer.encode(TEXT));
    const taus = ['0.3', '0.7'];
    const expected = lens(model.lm, [ids], { name: '', taus, tokenText: (id) => model.tokenizer.decode([id]) });
    expect(await tab.locator('.strip .tokens').textContent()).toBe(TEXT);
    for (const tau of taus) {
      await tab.locator('#tokens-threshold').fill(tau);
      const shown = () =>
        tab
          .locator('.strip .token[data-loops]')
          .evaluateAll((tokens) => tokens.map((token) => Number((token as HTMLElement).dataset.loops)));
      // A token leaves at the place before it, where it was predicted. The page draws with the next frame.
      await expect.poll(shown, { timeout: 45_000 }).toEqual(expected.exitLoop[tau]![0]!.slice(0, -1));
    }
    await tab.locator('.strip .token').nth(5).click();
    const rows = tab.locator('.detail tbody tr');
    expect(await rows.count()).toBe(4);
    for (let k = 0; k < 4; k++) {
      const cells = await rows.nth(k).locator('td').allTextContents();
      expect(Number(cells[0])).toBeCloseTo(expected.logprobs[0]![4]![k]!, 2);
      expect(Number(cells[1])).toBeCloseTo(expected.entropy[0]![4]![k]!, 2);
      expect(Number(cells[3])).toBeCloseTo(expected.exitPdf[0]![4]![k]!, 2);
      for (const { token } of expected.top[0]![4]![k]!) expect(cells[4]).toContain(JSON.stringify(token));
    }
  });

  it('puts two models side by side, and sorts tokens by what the second says better', async () => {
    const tab = await open();
    await look(tab, TEXT, 'trained', BASE);
    expect(await tab.locator('.strip h2').allTextContents()).toEqual([BASE, 'trained']);
    const gains = (await tab.locator('#tokens-gains tbody tr td:nth-child(2)').allTextContents()).map(Number);
    expect(gains.length).toBeGreaterThan(10);
    expect(gains).toEqual([...gains].sort((a, b) => b - a));
    expect(gains.some((gain) => gain !== 0)).toBe(true);
    // What is another word or another loop is marked in the text.
    const changed = await tab.locator('#tokens-gains tbody tr', { hasText: 'changed' }).count();
    expect(await tab.locator('.strip').nth(1).locator('.token.changed').count()).toBe(changed);
    expect(await tab.locator('.strip').first().locator('.token.changed').count()).toBe(0);
    // One click shows what both said of it.
    await tab.locator('#tokens-gains tbody button').first().click();
    expect(await tab.locator('.detail').count()).toBe(2);
    expect(await tab.locator('.strip .token[aria-selected="true"]').count()).toBe(2);
  });

  it('is used by the keyboard', async () => {
    const tab = await open();
    await look(tab, TEXT, BASE);
    await tab.locator('.strip .token[tabindex="0"]').focus();
    await tab.keyboard.press('ArrowRight');
    await tab.keyboard.press('ArrowRight');
    await tab.keyboard.press('Enter');
    expect(await tab.locator('.strip .token').nth(2).getAttribute('aria-selected')).toBe('true');
    expect(await tab.locator('.detail').count()).toBe(1);
  });

  it('takes a text of thousands of tokens, each reached by the keyboard, and shows both ends of what was gained', async () => {
    const tab = await open();
    await look(tab, `${TEXT} `.repeat(90).trim(), 'trained', BASE);
    const strip = tab.locator('.strip').nth(1);
    const count = await strip.locator('.token').count();
    expect(count).toBeGreaterThan(1000);
    await tab.locator('#tokens-threshold').fill('0.3');
    await strip.locator('.token[tabindex="0"]').focus();
    await tab.keyboard.press('End');
    await tab.keyboard.press('Enter');
    expect(await strip.locator('.token').last().getAttribute('aria-selected')).toBe('true');
    expect(await strip.locator('.token[aria-selected="true"]').count()).toBe(1);
    const rows = tab.locator('#tokens-gains tbody tr');
    expect(await rows.count()).toBe(501);
    expect(await rows.nth(250).textContent()).toBe(`… ${count - 501} tokens between`);
    const gains = (
      await tab.locator('#tokens-gains tbody tr:not(:nth-child(251)) td:nth-child(2)').allTextContents()
    ).map(Number);
    expect(gains).toEqual([...gains].sort((a, b) => b - a));
  });

  it('takes held-out documents, and texts that look like markup for text', async () => {
    const tab = await open({ expected: /400/ });
    await tab.getByRole('button', { name: 'Take a document' }).click();
    await tab.locator('.strip').waitFor();
    const text = await tab.getByLabel('Text to look at').inputValue();
    expect(text).toMatch(/^map /);
    // The answers of the task are what a model learns to say: as many as there are questions.
    const answers = await tab.locator('.strip .token.counted').count();
    expect(answers).toBe(text.split(' ask ')[1]!.split(' ').length / 3);
    await expect.poll(() => tab.locator('.strip > p').textContent()).toContain(`over the ${answers} tokens in bold`);
    const hostile = '<b onmouseover=alert(1)>&amp;</b>\n<script>alert(1)</script>';
    await look(tab, hostile, BASE);
    await expect.poll(() => tab.locator('.strip .tokens').textContent()).toBe(hostile);
    expect(await tab.locator('.strip b, .strip script').count()).toBe(0);
    await tab.getByLabel('Text to look at').fill('map '.repeat(5000));
    await tab.getByRole('button', { name: 'Look' }).click();
    await expect
      .poll(() => tab.locator('#tokens-status').textContent(), { timeout: 45_000 })
      .toMatch(/4096 are the most/);
  });

  it('opens no model that is not in its list', async () => {
    const body = JSON.stringify({ model: '../elsewhere', text: 'a' });
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(new URL('/api/tokens', server.url), { method: 'POST', body, headers });
    expect(answer.status).toBe(404);
    expect((await answer.json()).error.code).toBe('model_not_found');
  });

  it.each(['light', 'dark'] as const)('has nothing that axe finds: %s', async (colorScheme) => {
    const tab = await open({ colorScheme, viewport: { width: 400, height: 800 } });
    await look(tab, TEXT, 'trained', BASE);
    await tab.locator('.strip .token').nth(5).click();
    expect(await violations(tab)).toEqual([]);
    expect(await tab.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  });
});
