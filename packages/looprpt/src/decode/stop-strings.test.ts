import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StopStrings } from './stop-strings.js';

describe('stop strings', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 4 });
  it('cut the joined text where the whole text would be cut, however it comes in pieces', () => {
    fc.assert(
      fc.property(
        fc.array(letters),
        fc.array(
          letters.filter((stop) => stop !== ''),
          { maxLength: 3 },
        ),
        (pieces, stops) => {
          const filter = new StopStrings(stops);
          let out = '';
          let stoppedAfter = pieces.length;
          for (const [n, piece] of pieces.entries()) {
            out += filter.push(piece);
            if (filter.stopped) stoppedAfter = Math.min(stoppedAfter, n);
          }
          out += filter.end();
          // A stop string counts as soon as it is there whole, of several that the one that begins first.
          const seen = pieces.slice(0, stoppedAfter + 1).join('');
          const starts = stops.map((stop) => seen.indexOf(stop)).filter((at) => at >= 0);
          expect(filter.stopped).toBe(starts.length > 0);
          expect(out).toBe(starts.length > 0 ? seen.slice(0, Math.min(...starts)) : seen);
          for (const stop of stops) expect(out.includes(stop)).toBe(false);
        },
      ),
    );
  });

  it('see hidden pieces, which are never handed out', () => {
    const piece = fc.record({ text: letters, hidden: fc.boolean() });
    const some = fc.array(
      letters.filter((stop) => stop !== ''),
      { maxLength: 3 },
    );
    fc.assert(
      fc.property(fc.array(piece), some, fc.boolean(), (pieces, stops, keep) => {
        const filter = new StopStrings(stops, { keep });
        let out = '';
        let pushed = 0;
        while (pushed < pieces.length && !filter.stopped) {
          out += filter.push(pieces[pushed]!.text, pieces[pushed]!);
          pushed++;
        }
        out += filter.end();
        // Letter by letter, each with its place in the text with hidden pieces.
        const seen = pieces
          .slice(0, pushed)
          .flatMap(({ text, hidden }) => [...text].map((letter) => ({ letter, hidden })));
        const places = seen.flatMap(({ hidden }, i) => (hidden ? [] : [i]));
        const joined = (letters: typeof seen): string => letters.map(({ letter }) => letter).join('');
        const starts = stops.flatMap((stop) => {
          const [inAll, inShown] = [joined(seen), joined(places.map((i) => seen[i]!))].map((text) =>
            text.indexOf(stop),
          );
          return [inAll!, inShown! < 0 ? -1 : places[inShown!]!].filter((at) => at >= 0).map((at) => ({ stop, at }));
        });
        const first = Math.min(...starts.map(({ at }) => at));
        expect(filter.stopped).toBe(starts.length > 0);
        const before = joined(seen.slice(0, starts.length > 0 ? first : seen.length).filter(({ hidden }) => !hidden));
        const stop = starts.find(({ at }) => at === first)?.stop ?? '';
        expect(out).toBe(before + (keep ? stop : ''));
        if (!keep) for (const stop of stops) expect(out).not.toContain(stop);
      }),
    );
  });

  it('hold back no more than could still begin one', () => {
    const filter = new StopStrings(['###', '\nUser:']);
    expect([...'a#b##c\nUs.'].map((piece) => filter.push(piece))).toEqual([
      'a',
      '',
      '#b',
      '',
      '',
      '##c',
      '',
      '',
      '',
      '\nUs.',
    ]);
    expect([filter.push('x##'), filter.end()]).toEqual(['x', '##']);
  });
});
