/** The report in a real browser, wide and on a phone, light and dark, all of it unfolded: what axe finds, tables, figures. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { madeUpEvaluation, madeUpMetrics } from '../../../test-support/made-up-evaluation.js';
import { findBrowser, openBrowser } from '../../../test-support/serve/browser.js';
import { openStudio, violations } from '../../../test-support/studio/reader.js';
import type { ReportInput } from './input.js';
import { writeReport } from './page.js';

const NAMES = ['base', 'LoopRPT, fast', 'tethered, blend 0.5', 'stage I', 'uniform CE + gate'];
const WIDE = { width: 1280, height: 900 };
const PHONE = { width: 400, height: 800 };
const executable = findBrowser();
const WHY = executable === null ? ' (skipped: no Chromium found; CHROME_PATH names one)' : '';

const INPUT: ReportInput = {
  title: 'LoopRPT and its strongest baselines on corpus',
  verdict:
    '“stage I”, the best of 4, is better than the base: +0.31 points of frontier (95 % interval +0.10 to +0.52).',
  command: 'npx looprpt start --input corpus --minutes 20 --out runs/own',
  notes: ['one note', 'another note'],
  runs: NAMES.map((name, i) => ({
    name,
    ...(i === 0 ? { metrics: [] } : { config: { steps: 40, objective: { kind: name } }, metrics: madeUpMetrics(40) }),
    evaluation: madeUpEvaluation(name, 0.3 + 0.02 * i),
  })),
  comparisons: NAMES.slice(1).flatMap((a) =>
    ['area', 'frontier', 'cross-entropy'].map((metric) => ({
      a,
      b: 'base',
      metric,
      delta: 0.1,
      low: 0.05,
      high: 0.15,
      level: 0.95,
      resamples: 100,
      documents: 60,
    })),
  ),
};

describe.skipIf(executable === null)(`a reader of the report${WHY}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'looprpt-test-'));
  const url = pathToFileURL(join(folder, 'report.html'));
  let browser: Browser;

  beforeAll(async () => {
    browser = await openBrowser(executable!);
    await writeReport(INPUT, url.pathname);
  });
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  async function open(
    viewport: { width: number; height: number },
    colorScheme: 'light' | 'dark' = 'light',
  ): Promise<Page> {
    const tab = await openStudio(browser, url, { viewport, colorScheme, bypassCSP: true });
    await tab.evaluate(() => {
      for (const folded of document.querySelectorAll('details')) folded.open = true;
    });
    return tab;
  }

  it.each([
    ['wide, light', WIDE, 'light'],
    ['wide, dark', WIDE, 'dark'],
    ['narrow, light', PHONE, 'light'],
    ['narrow, dark', PHONE, 'dark'],
  ] as const)('is not hindered by anything that axe finds: %s', async (_, viewport, scheme) => {
    expect(await violations(await open(viewport, scheme))).toEqual([]);
  });

  it('scrolls tables on a phone, shows that they go on, and never scrolls the page sideways', async () => {
    const tab = await open(PHONE);
    const tables = await tab.locator('.scroll, pre').evaluateAll((boxes) =>
      boxes.map((box) => ({
        goesOn: box.scrollWidth > box.clientWidth,
        isMarked: getComputedStyle(box).backgroundImage.includes('gradient'),
        isReached: (box as HTMLElement).tabIndex === 0,
      })),
    );
    expect(tables.filter(({ goesOn }) => goesOn).length).toBeGreaterThanOrEqual(3);
    expect(tables.filter(({ goesOn, isMarked, isReached }) => goesOn && !(isMarked && isReached))).toEqual([]);
    expect(await tab.evaluate(() => document.documentElement.scrollWidth)).toBe(PHONE.width);
  });

  it.each([1280, 861, 860, 400, 360])('has figures that can be read at %i pixels', async (width) => {
    const tab = await open({ width, height: 900 });
    const figures = await tab.evaluate(() =>
      [...document.querySelectorAll<SVGSVGElement>('figure svg[role=img]')]
        .filter((svg) => svg.clientWidth > 0)
        .map((svg) => {
          const frame = svg.getBoundingClientRect();
          const scale = frame.width / svg.viewBox.baseVal.width;
          const texts = [...svg.querySelectorAll('text')].filter((text) => text.textContent !== '');
          return {
            name: svg.getAttribute('aria-label')!.slice(0, 30),
            isSmall: texts.flatMap((text) => {
              const size = Number.parseFloat(getComputedStyle(text).fontSize) * scale;
              return size < 9.5 ? [`${text.textContent} ${size}`] : [];
            }),
            isCut: texts.flatMap((text) => {
              const { left, right } = text.getBoundingClientRect();
              return left < frame.left - 1 || right > frame.right + 1 ? [text.textContent] : [];
            }),
          };
        }),
    );
    expect(figures.length).toBeGreaterThan(5);
    expect(figures.filter(({ isSmall, isCut }) => isSmall.length + isCut.length > 0)).toEqual([]);
  });
});
