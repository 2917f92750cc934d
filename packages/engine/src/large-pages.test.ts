/** Tensors in large pages: the same numbers, in memory that lives as long as they do. */
import { expect, test } from 'vitest';
import { collectGarbage } from '../test-support/collect-garbage.js';
import { arange, hasLargePages, LargePages, liveTensors, scope } from './index.js';

test('copies are the same numbers, at cache lines, and outlive what placed them', async () => {
  await collectGarbage();
  const before = liveTensors();
  const placed = scope(() => {
    using pages = new LargePages();
    const first = pages.place(arange(0, 5, { dtype: 'float32' }));
    const transposed = pages.place(arange(0, 6).view(2, 3).transpose(0, 1));
    const bytes = pages.place(arange(0, 70, { dtype: 'uint8' }));
    first.add_(1);
    return [first, transposed, bytes].map((tensor) => tensor.persist());
  });
  expect(placed.map((tensor) => tensor.toArray())).toEqual([
    [1, 2, 3, 4, 5],
    [
      [0, 3],
      [1, 4],
      [2, 5],
    ],
    Array.from({ length: 70 }, (_, i) => i),
  ]);
  expect(placed.every((tensor) => tensor.isContiguous)).toBe(true);
  for (const tensor of placed) tensor.dispose();
  expect(liveTensors()).toBe(before);
});

test('what is larger than a region has one of its own, and the next tensor another', () => {
  scope(() => {
    using pages = new LargePages();
    const bytes = 65 * 2 ** 20;
    const whole = arange(0, bytes / 8);
    const [large, small] = [pages.place(whole), pages.place(whole.slice(0, 7, 9))];
    expect(large.sub(whole).abs().sum().item()).toBe(0);
    expect(small.toArray()).toEqual([7, 8]);
  });
});

test('the setting of the system says whether there are any', () => {
  expect(hasLargePages(() => 'always [madvise] never\n')).toBe(true);
  expect(hasLargePages(() => 'always madvise [never]\n')).toBe(false);
  expect(
    hasLargePages(() => {
      throw new Error('ENOENT');
    }),
  ).toBe(false);
});
