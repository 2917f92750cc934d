import { describe, expect, test } from 'vitest';
import { type RecordFormat, recordConverter, recordFormatSchema } from './record-format.js';

const template = (settings: { prompt?: string; completion: string; maskPrompt?: boolean }): RecordFormat =>
  recordFormatSchema.parse({ kind: 'template', ...settings });

describe('text records', () => {
  const converter = recordConverter(recordFormatSchema.parse(undefined));

  test('text, ranges and simple facts are taken over', () => {
    const record = { text: 'a b c', loss: [[2, 3]], meta: { task: 'x', level: 3, tags: ['no'] }, other: 1 };
    expect(converter.convert(record)).toEqual({
      document: { text: 'a b c', loss: [[2, 3]], meta: { task: 'x', level: 3 } },
    });
  });

  test('fields of the same names that mean something else do no harm', () => {
    const { document } = converter.convert({ text: 'a', loss: 0.7, meta: 'web' }) as { document: object };
    expect(document).toEqual({ text: 'a', meta: undefined });
  });

  test.each([
    [{ content: 'x', id: 3 }, "no field 'text'; there are: content, id"],
    [
      { question: 'q', answer: 'a' },
      "no field 'text'; there are: question, answer, as in gsm8k, which --dataset gsm8k reads",
    ],
    [
      { problem: 'p', solution: 's', domain: [] },
      "no field 'text'; there are: problem, solution, domain, as in omni-math, which --dataset omni-math reads",
    ],
    [{ text: 7 }, "field 'text' is no text"],
    [{ text: 'abc', loss: [[0, 4]] }, "field 'loss': range [0, 4] ends behind the text's 3 characters"],
    [{ text: 'abc', loss: [3] }, "field 'loss' must be a list of [start, end]"],
  ])('%j is broken', (record, fault) => {
    expect(converter.convert(record)).toEqual({ fault });
  });
});

describe('templates', () => {
  test('prompt and completion are put together, and only the completion counts', () => {
    const converter = recordConverter(template({ prompt: 'Q: {q.text} {{x}}\nA:', completion: ' {a} ({n})' }));
    expect(converter.required).toEqual(['q', 'a', 'n']);
    const conversion = converter.convert({ q: { text: 'why?' }, a: 'so', n: 2 });
    expect(conversion).toEqual({ document: { text: 'Q: why? {x}\nA: so (2)', loss: [[15, 21]] } });
    expect('Q: why? {x}\nA: so (2)'.slice(15)).toBe('so (2)');
  });

  test('without masking everything counts', () => {
    const converter = recordConverter(template({ completion: '{a}', maskPrompt: false }));
    expect(converter.convert({ a: 'x' })).toEqual({ document: { text: 'x', loss: undefined } });
  });

  test.each([
    [{ a: null }, "no field 'a'"],
    [{}, "no field 'a'"],
    [{ a: { b: 1 } }, "field 'a' is no text"],
    [{ a: ' ' }, 'the completion is empty'],
  ])('%j is broken', (record, fault) => {
    expect(recordConverter(template({ prompt: 'x', completion: '{a}' })).convert(record)).toEqual({ fault });
  });

  test.each([
    ['a } {b}', "lone '}'"],
    ['{b', "lone '{'"],
    ['no field', 'names no {field}'],
  ])('the template %j is refused', (completion, message) => {
    expect(() => recordConverter(template({ completion }))).toThrow(message);
  });
});
