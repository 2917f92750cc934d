import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { collectGarbage } from '../test-support/collect-garbage.js';
import { empty, Generator, liveTensors, op, scope, tensor } from './index.js';

/** Ways to draw; sizes below and above the point where libtorch changes from one number at a time to many. */
const draws: Record<string, (generator: Generator) => unknown> = {
  'one normal': (g) => empty([1]).normal_(0, 1, g).toArray(),
  'three normals': (g) => empty([3], { dtype: 'float64' }).normal_(1, 2, g).toArray(),
  'a hundred normals': (g) => empty([100]).normal_(0, 1, g).toArray(),
  uniform: (g) => empty([5]).uniform_(-1, 1, g).toArray(),
  'many uniform': (g) => empty([1000]).uniform_(0, 1, g).toArray(),
  multinomial: (g) =>
    tensor([
      [1, 2, 3],
      [3, 2, 1],
    ])
      .multinomial(2, true, g)
      .toArray(),
  'multinomial without replacement': (g) => tensor([1, 1, 1, 1, 1]).multinomial(3, false, g).toArray(),
  permutation: (g) => op('aten::randperm.generator')(7, g).toArray(),
};
const draw = (generator: Generator, how: string): unknown => scope(() => draws[how]!(generator));
const sequence = fc.array(fc.constantFrom(...Object.keys(draws)), { minLength: 1, maxLength: 5 });

describe('Generator', () => {
  test('the same seed, the same numbers; another seed, others', () => {
    for (const how of Object.keys(draws).filter((name) => name.startsWith('many') || name.startsWith('a '))) {
      expect(draw(new Generator(7), how)).toEqual(draw(new Generator(7), how));
      expect(draw(new Generator(7), how)).not.toEqual(draw(new Generator(8), how));
    }
  });

  test('a state that is saved and set gives the same numbers again, whatever came before', () => {
    fc.assert(
      fc.property(fc.nat(), sequence, sequence, (seed, before, after) => {
        using generator = new Generator(seed);
        for (const how of before) draw(generator, how);
        const state = generator.getState();
        const expected = after.map((how) => draw(generator, how));
        generator.setState(state);
        expect(after.map((how) => draw(generator, how))).toEqual(expected);
        using other = new Generator(seed + 1);
        draw(other, 'one normal');
        other.setState(state);
        expect(after.map((how) => draw(other, how))).toEqual(expected);
      }),
    );
  });

  test('two generators do not disturb each other, nor does the default one', () => {
    const alone = new Generator(3);
    const expected = [draw(alone, 'uniform'), draw(alone, 'three normals')];
    const [one, two] = [new Generator(3), new Generator(4)];
    const first = draw(one, 'uniform');
    draw(two, 'uniform');
    scope(() => empty([10]).normal_(0, 1));
    expect([first, draw(one, 'three normals')]).toEqual(expected);
  });

  test('seeds of up to 53 bits', () => {
    const largest = Number.MAX_SAFE_INTEGER;
    expect(draw(new Generator(largest), 'many uniform')).toEqual(draw(new Generator(largest), 'many uniform'));
    expect(draw(new Generator(largest), 'many uniform')).not.toEqual(draw(new Generator(largest - 1), 'many uniform'));
    expect(() => new Generator(1.5)).toThrow('an integer was expected');
    expect(() => new Generator(Number.NaN)).toThrow('an integer was expected');
  });

  test('states are bytes, and wrong ones are refused', async () => {
    await collectGarbage();
    const before = liveTensors();
    const generator = new Generator(1);
    const state = generator.getState();
    expect(state).toBeInstanceOf(Uint8Array);
    expect(() => generator.setState(state.subarray(1))).toThrow(/state/i);
    expect(draw(generator, 'uniform')).toEqual(draw(new Generator(1), 'uniform'));
    expect(liveTensors()).toBe(before);
  });

  test('disposing of it twice is once; use afterwards is an error', () => {
    const generator = new Generator(1);
    generator.dispose();
    generator.dispose();
    expect(() => generator.getState()).toThrow('this generator was already disposed of');
    expect(() => scope(() => empty([1]).normal_(0, 1, generator))).toThrow('already disposed of');
    expect(() => new Generator(1, 'nowhere')).toThrow('nowhere');
  });
});
