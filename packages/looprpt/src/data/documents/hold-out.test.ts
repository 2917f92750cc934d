/** The held-out part: whole, without overlap, the same whatever the order; sections that make up their text. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Document } from './document.js';
import { documentsOf, partOf } from './hold-out.js';
import { sectionsOf } from './sections.js';
import { surveyDocuments, surveyLine } from './survey.js';

const gathered = async (documents: AsyncIterable<Document>): Promise<string[]> => {
  const texts: string[] = [];
  for await (const { text } of documents) texts.push(text);
  return texts;
};
const texts = Array.from({ length: 4000 }, (_, i) => ({ text: `text ${i % 3900}` }));

describe('the held-out part', () => {
  it('and the rest are all documents, and no text is in both', async () => {
    const train = await gathered(documentsOf('train', 0.05, texts));
    const heldOut = await gathered(documentsOf('heldout', 0.05, texts));
    expect(train.length + heldOut.length).toBe(texts.length);
    const trained = new Set(train);
    expect(heldOut.filter((text) => trained.has(text))).toEqual([]);
    // Binomial: 200 expected, a standard deviation of 14.
    expect(heldOut.length).toBeGreaterThan(130);
    expect(heldOut.length).toBeLessThan(270);
  });

  it('grows with the share, and never loses what it had', () => {
    for (const { text } of texts.slice(0, 500))
      if (partOf(text, 0.02) === 'heldout') expect(partOf(text, 0.1)).toBe('heldout');
    expect(partOf('x', 0)).toBe('train');
    expect(partOf('x', 1)).toBe('heldout');
  });
});

describe('sections', () => {
  it('make up the text, whatever it is, and are between one and two lengths long', async () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'é', '𝒳', ' ', '\n', '\n\n'), minLength: 0, maxLength: 300 });
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 2, max: 20 }), async (whole, characters) => {
        const sections = await gathered(sectionsOf([{ text: whole }], characters));
        expect(sections.join('')).toBe(whole);
        for (const section of sections) {
          expect(Buffer.from(section).toString()).toBe(section);
          expect(section.length).toBeLessThanOrEqual(2 * characters);
          // A character of two units is not cut.
          if (sections.length > 1) expect(section.length).toBeGreaterThanOrEqual(characters - 1);
        }
      }),
    );
  });

  it('are cut at blank lines where there are any', async () => {
    const whole = 'one two\n\nthree four\n\nfive six\n\nseven';
    expect(await gathered(sectionsOf([{ text: whole }], 8))).toEqual([
      'one two\n\n',
      'three four\n\n',
      'five six\n\nseven',
    ]);
  });

  it('are not cut where something in the text is marked', async () => {
    const marked = { text: 'a b c d e f g h', loss: [[0, 1]] as const };
    expect(await gathered(sectionsOf([marked], 2))).toEqual([marked.text]);
  });
});

it('a survey counts documents, lengths, duplicates and scripts', async () => {
  const survey = await surveyDocuments([{ text: 'abc' }, { text: 'дом' }, { text: 'abc' }, { text: 'a long one' }]);
  expect(survey).toMatchObject({ documents: 4, characters: 19, median: 3, longest: 10, duplicates: 1 });
  expect(survey.scripts.map(({ name }) => name)).toEqual(['Latin', 'Cyrillic']);
  expect(surveyLine(survey)).toContain('1 more than once');
});
