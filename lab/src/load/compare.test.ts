/** The load test's own judgement: it must see a lost, repeated or changed token, and what is left over. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StreamedText } from '../../../packages/looprpt/test-support/serve/stream-client.js';
import { contradictions, differences } from './compare.js';
import { type Gauges, leftovers } from './gauges.js';

const token = fc.record({ text: fc.string({ unit: 'grapheme', minLength: 1 }), loops: fc.integer({ min: 1, max: 4 }) });
const tokens = fc.array(token, { minLength: 1, maxLength: 12 });

function textOf(parts: readonly { text: string; loops: number }[], finish: string | null = 'stop'): StreamedText {
  const tokenTexts = parts.map(({ text }) => text);
  return { text: tokenTexts.join(''), tokenTexts, loops: parts.map(({ loops }) => loops), finish };
}

const ended = (texts: StreamedText[]) => ({ kind: 'done' as const, texts, firstTokenMs: 1, tokensByUsage: 0 });

describe('differences', () => {
  it('are none where an ended stream equals the one alone', () => {
    fc.assert(
      fc.property(tokens, (parts) => {
        expect(differences(ended([textOf(parts)]), [textOf(parts)])).toEqual([]);
      }),
    );
  });

  it('are none where a client left at any place', () => {
    fc.assert(
      fc.property(tokens, fc.nat(), (parts, place) => {
        const got = textOf(parts.slice(0, place % (parts.length + 1)), null);
        expect(differences({ kind: 'gone', texts: [got] }, [textOf(parts)])).toEqual([]);
      }),
    );
    expect(differences({ kind: 'gone', texts: [] }, [textOf([])])).toEqual([]);
  });

  it('show a lost and a repeated token in either kind of stream', () => {
    fc.assert(
      fc.property(tokens, fc.nat(), fc.boolean(), (parts, place, isLost) => {
        const at = place % parts.length;
        const wrong = isLost ? parts.toSpliced(at, 1) : parts.toSpliced(at, 0, parts[at]!);
        expect(differences(ended([textOf(wrong)]), [textOf(parts)])).not.toEqual([]);
      }),
    );
    const parts = ['a', 'b', 'c'].map((text) => ({ text, loops: 1 }));
    for (const wrong of [
      [parts[0]!, parts[2]!],
      [parts[0]!, parts[0]!, parts[1]!],
    ])
      expect(differences({ kind: 'gone', texts: [textOf(wrong, null)] }, [textOf(parts)])).not.toEqual([]);
  });

  it('show another number of loops, another end and a missing text', () => {
    const alone = textOf([{ text: 'a', loops: 2 }]);
    expect(differences(ended([{ ...alone, loops: [3] }]), [alone])).toEqual(['text 0: loops of token 0 is 3, alone 2']);
    expect(differences(ended([{ ...alone, finish: 'length' }]), [alone])).toEqual([
      'text 0: ended by length, alone by stop',
    ]);
    expect(differences(ended([alone]), [alone, alone])).toEqual(['text 1 did not come']);
  });
});

describe('contradictions', () => {
  it('show a stream whose parts do not fit each other', () => {
    const text = textOf([{ text: 'a', loops: 2 }]);
    const of = (change: Partial<StreamedText>, tokensByUsage = 1): number =>
      contradictions({ ...ended([{ ...text, ...change }]), tokensByUsage }).length;
    expect(of({})).toBe(0);
    expect(of({ text: 'a, held back' })).toBe(0);
    expect(of({}, 2)).toBe(1);
    expect(of({ finish: null })).toBe(1);
    expect(of({ tokenTexts: ['b'] })).toBe(1);
    expect(of({ tokenTexts: ['a', ''] })).toBe(1);
  });
});

describe('leftovers', () => {
  const clean: Gauges = {
    held: {
      looprpt_texts_admitted: 0,
      looprpt_queue_length: 0,
      looprpt_batch_size: 0,
      looprpt_cache_pages_used: 0,
      looprpt_connections_open: 0,
    },
    tensors: 70,
  };

  it('name what is held', () => {
    expect(leftovers(clean, clean)).toEqual([]);
    expect(leftovers({ ...clean, tensors: 71 }, clean)).toEqual(['71 tensors, 70 before']);
    for (const name of Object.keys(clean.held))
      expect(leftovers({ ...clean, held: { ...clean.held, [name]: 1 } }, clean)).toHaveLength(1);
  });
});
