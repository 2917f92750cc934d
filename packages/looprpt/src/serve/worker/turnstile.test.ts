import { expect, it } from 'vitest';
import { Turnstile } from './turnstile.js';

const turns = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

it.each([1, 2, 3])('lets %d in at once, the others in their order, and goes on after a failure', async (places) => {
  const turnstile = new Turnstile(places);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const all = Array.from({ length: 7 }, (_, n) =>
    turnstile.run(async () => {
      begun.push(n);
      await new Promise<void>((end) => {
        ends[n] = end;
      });
      if (n % 2 === 1) throw new Error(`no ${n}`);
      return n;
    }),
  );
  const settled = Promise.allSettled(all);
  for (let n = 0; n < 7; n++) {
    await turns();
    expect(begun).toEqual(Array.from({ length: Math.min(7, n + places) }, (_, i) => i));
    ends[n]!();
  }
  const results = await settled;
  expect(results.map(({ status }) => status)).toEqual(
    Array.from({ length: 7 }, (_, n) => (n % 2 === 1 ? 'rejected' : 'fulfilled')),
  );
  expect(await turnstile.run(async () => 'again')).toBe('again');
});
