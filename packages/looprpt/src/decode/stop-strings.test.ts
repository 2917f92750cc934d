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
