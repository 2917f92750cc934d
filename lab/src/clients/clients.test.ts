/** The page of clients against the list of them, and how it is written. The clients themselves run in `npm run clients`. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { read } from '../docs/pages.js';
import { type Client, pinned } from './client.js';
import { CLIENTS } from './list.js';
import { clientsPage } from './page.js';
import { PROGRAMS } from './scripted.js';

describe('pinned packages', () => {
  it('are names with versions, scopes and extras taken apart', () => {
    expect(pinned('openai==3.57.0')).toEqual({ name: 'openai', version: '3.57.0' });
    expect(pinned('lm_eval[api]==0.4.13')).toEqual({ name: 'lm_eval', version: '0.4.13' });
    expect(pinned('@ai-sdk/openai-compatible@3.0.92')).toEqual({
      name: '@ai-sdk/openai-compatible',
      version: '3.0.92',
    });
    for (const loose of ['openai', 'openai>=3', 'ai@^7.0.0', 'ai@latest']) expect(() => pinned(loose)).toThrow(loose);
  });
});

describe('the page', () => {
  const client = (name: string): Client => ({
    name,
    language: 'node',
    packages: ['a@1.2.3', '@b/c@4.5.6'],
    try: () => Promise.resolve([]),
  });
  const day = { node: '20.0.0', python: '3.11.0', day: '2026-11-29' };

  it('has a row for each thing tried, and says what went wrong and what was not tried', () => {
    const seen = [
      { tried: 'one', saw: 'a | b', ok: true },
      { tried: 'two', saw: 'no\nsuch thing', ok: false },
    ];
    const page = clientsPage(
      [
        { client: client('X'), seen },
        { client: client('Y'), seen: { skipped: 'no index' } },
      ],
      day,
    );
    expect(page).toContain('1 of 2 went wrong.');
    expect(clientsPage([{ client: client('Y'), seen: { skipped: 'no index' } }], day)).toContain('Nothing was tried.');
    expect(page.split('\n').filter((line) => line.startsWith('| '))).toEqual([
      '| client | version | tried | seen |',
      '| X | 1.2.3, @b/c 4.5.6 | one | a \\| b |',
      '|  |  | two | **wrong:** no such thing |',
      '| Y | 1.2.3, @b/c 4.5.6 | not tried | no index |',
    ]);
  });

  it('that is in the documentation is of the clients that are listed, at their versions', () => {
    const page = read('docs/reference/clients.md');
    for (const { name, packages } of CLIENTS) expect(page).toContain(`| ${name} | ${pinned(packages[0]).version}`);
    expect(page).not.toContain('**wrong:**');
  });

  it('has scripts for its clients', () => {
    for (const name of [
      'openai_python.py',
      'openai_node.mjs',
      'langchain_python.py',
      'ai_sdk.mjs',
      'litellm_python.py',
    ])
      expect(existsSync(join(PROGRAMS, name)), name).toBe(true);
  });
});
