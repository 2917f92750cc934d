/**
 * A reader of the studio in a real browser: a page on a server, whose console must say nothing against it, and what axe finds against it.
 * Never imported by the product.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';

const PATIENCE_MS = 45_000;
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** A new reader's page; what its console says against it fails the test. @param expected what it may say */
export async function openStudio(
  browser: Browser,
  url: URL,
  { expected = /^$/, ...context }: BrowserContextOptions & { expected?: RegExp } = {},
): Promise<Page> {
  const reader = await browser.newContext(context);
  const tab = await reader.newPage();
  tab.setDefaultTimeout(PATIENCE_MS);
  const complaints: string[] = [];
  tab.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  tab.on('pageerror', (error) => complaints.push(String(error.stack)));
  onTestFinished(async () => {
    await reader.close();
    expect(complaints.filter((line) => !expected.test(line))).toEqual([]);
  });
  await tab.goto(url.href);
  return tab;
}

/** What axe finds: a line for each kind of violation of the page as it stands, with the first elements. */
export async function violations(tab: Page): Promise<string[]> {
  // The page's content policy lets no script in but its own; a tool of the browser is no part of the page.
  await tab.evaluate(readFileSync(AXE, 'utf8'));
  return tab.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run: (options: object) => Promise<{ violations: Violation[] }> };
    };
    interface Violation {
      id: string;
      nodes: { target: unknown[]; failureSummary?: string }[];
    }
    const found = await axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] });
    return found.violations.map(
      ({ id, nodes }) =>
        `${id}: ${nodes
          .slice(0, 3)
          .map(({ target, failureSummary }) => `${String(target)} ${failureSummary}`)
          .join(' | ')}`,
    );
  });
}
