import { expect, test } from 'vitest';
import { prepareEnvironment, spinsAt } from './environment.js';

const pressure = (avg10: number): string =>
  `some avg10=${avg10} avg60=99.00 avg300=99.00 total=1\nfull avg10=99.00 avg60=0.00 avg300=0.00 total=0\n`;

test('threads spin for a tenth of the time where others wait for the cores, by the last ten seconds alone', () => {
  expect([0, 12.5, 50].map((share) => spinsAt(pressure(share)))).toEqual([20_000, 20_000, 20_000]);
  expect([50.01, 100].map((share) => spinsAt(pressure(share)))).toEqual([2_000, 2_000]);
  expect([null, '', 'some'].map((text) => spinsAt(text))).toEqual([20_000, 20_000, 20_000]);
});

test("what the user has set stays; where the library's way of waiting is set, nothing is", () => {
  const given: NodeJS.ProcessEnv = { GOMP_SPINCOUNT: '7' };
  prepareEnvironment(given);
  expect(given).toMatchObject({ OMP_WAIT_POLICY: 'passive', GOMP_SPINCOUNT: '7' });
  const active: NodeJS.ProcessEnv = { OMP_WAIT_POLICY: 'active' };
  prepareEnvironment(active);
  expect(active).not.toHaveProperty('GOMP_SPINCOUNT');
});
