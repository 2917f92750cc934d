import { expect, test } from 'vitest';
import { buildPlace } from './build-place.mjs';

test('in the package, or in the folder of the engine.json that the environment names', () => {
  expect(buildPlace('/package', {})).toEqual({ buildDir: '/package/build', base: '/package' });
  const apart = { buildDir: '/cache/2.5', base: '/cache/2.5' };
  expect(buildPlace('/package', { LOOPRPT_ENGINE_BUILD: '/cache/2.5/engine.json' })).toEqual(apart);
  expect(() => buildPlace('/package', { LOOPRPT_ENGINE_BUILD: '/cache/2.5' })).toThrow('a file named engine.json');
});
