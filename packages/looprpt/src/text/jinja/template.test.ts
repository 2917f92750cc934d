import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { timeText } from './globals.js';
import { JinjaTemplate } from './template.js';
import { JinjaError } from './values.js';

interface Golden {
  messages: unknown[];
  tokens: Record<string, string>;
  /** What transformers writes, or the name of the error that it raises. */
  cases: ({ template: string; text: string } | { template: string; raises: string })[];
}

const golden = JSON.parse(
  await readFile(new URL('../../../test-support/fixtures/golden/edge/jinja.json', import.meta.url), 'utf8'),
) as Golden;

const render = (source: string, variables: Record<string, unknown> = {}): string =>
  new JinjaTemplate(source).render(variables);

describe('as transformers renders it', () => {
  const variables = {
    ...golden.tokens,
    messages: golden.messages,
    tools: null,
    documents: null,
    add_generation_prompt: false,
  };
  test('there are cases of texts and of errors', () => {
    expect(golden.cases.filter((one) => 'text' in one).length).toBeGreaterThan(190);
    expect(golden.cases.filter((one) => 'raises' in one).length).toBeGreaterThan(15);
  });
  test.each(golden.cases)('$template', (one) => {
    if ('text' in one) expect(render(one.template, variables)).toBe(one.text);
    else expect(() => render(one.template, variables)).toThrow(JinjaError);
  });
});

test('variables go before what every template can name', () => {
  expect(render('{{ range }} {{ dict.a }} {{ namespace }}', { range: 3, dict: { a: 1 }, namespace: 'n' })).toBe(
    '3 1 n',
  );
});

test('names of every JavaScript object are names like others', () => {
  expect(render('{{ constructor is defined }} {{ {}.constructor is defined }} {{ "a".__proto__ is defined }}')).toBe(
    'False False False',
  );
  expect(render('{{ m.toString }}', { m: { toString: 'own' } })).toBe('own');
  expect(() => render('{{ 1|constructor }}')).toThrow(/No filter named/);
  expect(() => render('{{ 1 is toString }}')).toThrow(/no test named/);
});

test('days and hours as strftime writes them', () => {
  const now = new Date(2026, 1, 3, 15, 4, 5);
  expect(timeText('%d %b %Y|%B %A %a|%y-%m|%H:%M:%S|%I %p|%j|%-d %-m|%%|%q', now)).toBe(
    '03 Feb 2026|February Tuesday Tue|26-02|15:04:05|03 PM|034|3 2|%|%q',
  );
});

describe('bounds', () => {
  const bounded = (source: string, limits: { characters?: number; rounds?: number }): string =>
    new JinjaTemplate(source).render({}, { characters: 100, rounds: 100, ...limits });
  const loop = '{% for i in range(3) %}{% for j in range(3) %}ab{% endfor %}{% endfor %}';

  test('of what is written', () => {
    expect(bounded(loop, { characters: 18 })).toHaveLength(18);
    expect(() => bounded(loop, { characters: 17 })).toThrow(/writes more than 17 characters/);
  });
  test('of rounds, with those that a condition left out', () => {
    expect(bounded(loop, { rounds: 12 })).toHaveLength(18);
    expect(() => bounded(loop, { rounds: 11 })).toThrow(/more than 11 times/);
    expect(() => bounded('{% for i in range(9) if false %}{% endfor %}', { rounds: 8 })).toThrow(/more than 8 times/);
  });
  test('of macros, by rounds and by depth', () => {
    const macro = '{% macro m(n) %}{% if n > 0 %}{{ m(n - 1) }}{% endif %}a{% endmacro %}';
    expect(bounded(`${macro}{{ m(5) }}`, { rounds: 6 })).toBe('aaaaaa');
    expect(() => bounded(`${macro}{{ m(5) }}`, { rounds: 5 })).toThrow(/more than 5 times/);
    expect(() => bounded(`${macro}{{ m(250) }}`, { rounds: 1000 })).toThrow(/call each other more than 200 deep/);
  });
  test('of ranges, widths and nesting', () => {
    expect(() => render('{{ range(100001)|length }}')).toThrow(/100000 are the most/);
    expect(() => render("{{ '%20000d' % 1 }}")).toThrow(/10000 are the most/);
    expect(() => render(`{{ ${'('.repeat(300)}1${')'.repeat(300)} }}`)).toThrow(/more than 200 deep/);
    expect(() => render(`${'{% if 1 %}'.repeat(150)}${'{% endif %}'.repeat(150)}`)).toThrow(/more than 100 deep/);
  });
});

test('what cannot be read is named with its line', () => {
  expect(() => render('a\n{% if true %}\nb\n{% nothing %}')).toThrow(/line 4: unknown tag 'nothing'/);
  expect(() => render('\n\n{{ 1 + }}')).toThrow(/line 3: unexpected end of the tag/);
  expect(() => render('{% if true %}')).toThrow(/ends where one of these should come: elif, else, endif/);
});
