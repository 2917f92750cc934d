import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { TextNews, TokenNews } from '../worker/protocol.js';
import { ChoiceText, type Piece } from './choice-text.js';

const token = (n: number, piece: string): TokenNews => ({
  id: n,
  text: piece,
  piece,
  logProb: -n,
  loop: 1 + (n % 3),
  top: [{ id: n, text: piece, logProb: -n }],
});
const news = (fields: Partial<TextNews>): TextNews => ({
  kind: 'text',
  id: 0,
  index: 0,
  text: '',
  token: null,
  end: null,
  prompt: null,
  finish: null,
  ...fields,
});

it('pieces joined are the whole, wherever text is held back', () => {
  const tokens = fc.array(fc.record({ piece: fc.string({ unit: 'grapheme', maxLength: 3 }), isHeld: fc.boolean() }), {
    minLength: 1,
  });
  fc.assert(
    fc.property(tokens, fc.boolean(), fc.boolean(), (tokens, endsAlone, isScored) => {
      const text = new ChoiceText(0, { tokens: 1, echo: null }, isScored);
      let held = '';
      const pieces = tokens.map(({ piece, isHeld }, n) => {
        held += piece;
        const isLast = !endsAlone && n === tokens.length - 1;
        const out = isHeld && !isLast ? '' : held;
        held = held.slice(out.length);
        return text.take(news({ text: out, token: token(n, piece), finish: isLast ? 'length' : null }));
      });
      // The end token, which is no token of the text.
      if (endsAlone) pieces.push(text.take(news({ text: held, finish: 'stop' })));
      const joined = <T>(part: (piece: Piece) => T[] | null): T[] => pieces.flatMap((piece) => part(piece) ?? []);
      const full = tokens.map(({ piece }) => piece).join('');
      expect(pieces.map((piece) => piece.text).join('')).toBe(full);
      expect(text.whole).toMatchObject({ text: full, finish: endsAlone ? 'stop' : 'length' });
      expect(text.whole.texts.join('')).toBe(full);
      expect(text.whole.texts).toHaveLength(tokens.length);
      expect(joined((piece) => piece.loops)).toEqual(text.whole.loops);
      expect(text.whole.loops).toEqual(tokens.map((_, n) => 1 + (n % 3)));
      for (const piece of pieces) expect(piece.texts).toHaveLength(piece.loops.length);
      if (!isScored) expect(text.whole.tokens).toBeNull();
      else {
        expect(joined((piece) => piece.tokens)).toEqual(text.whole.tokens);
        const offsets = tokens.map(
          (_, n) =>
            [
              ...tokens
                .slice(0, n)
                .map(({ piece }) => piece)
                .join(''),
            ].length,
        );
        expect(text.whole.tokens!.map(({ offset }) => offset)).toEqual(offsets);
      }
    }),
  );
});

it('the prompt stands in front, its first token without a log-probability', () => {
  const echo = {
    text: 'ab',
    tokens: [
      { id: 0, text: 'a', piece: 'a' },
      { id: 1, text: 'b', piece: 'b' },
    ],
  };
  const text = new ChoiceText(0, { tokens: 2, echo }, true);
  const first = text.take(news({ text: 'c', token: token(2, 'c'), prompt: [token(1, '')] }));
  expect(first).toMatchObject({ text: 'abc', loops: [3], texts: ['c'] });
  expect(first.tokens!.map(({ logProb, offset }) => [logProb, offset])).toEqual([
    [null, 0],
    [-1, 1],
    [-2, 2],
  ]);
  expect(text.take(news({ text: 'd', token: token(3, 'd'), finish: 'length' })).text).toBe('d');
  expect(text.whole.text).toBe('abcd');
});
