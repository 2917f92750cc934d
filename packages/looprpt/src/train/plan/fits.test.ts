/** A run that cannot fit is refused before anything is allocated; one that may not fit is told so. */
import { expect, it } from 'vitest';
import { configJson, tinyConfig } from '../../../test-support/slow/tiny-model.js';
import { parseOuroConfig } from '../../model/config.js';
import { type RunConfigInput, runConfigSchema } from '../run-config.js';
import { machineBytes, memoryRemark } from './fits.js';
import { planRun } from './plan.js';

const model = parseOuroConfig(configJson(tinyConfig({})), 'tiny');
const config = (change: Partial<RunConfigInput> = {}) =>
  runConfigSchema.parse({
    model: { from: 'base' },
    data: { task: { task: 'hop' } },
    objective: { kind: 'stage1' },
    out: 'run',
    steps: 1,
    ...change,
  });

it('is as the plan has it, with all tokens in the loss or none', () => {
  const bytes = (lossShare: number): number => planRun({ config: config(), model, lossShare }).memory.total;
  expect(bytes(0)).toBeLessThan(bytes(1));
  const remark = (machine: number): string | null => memoryRemark(config(), model, { machine });
  expect(remark(bytes(1))).toBeNull();
  expect(remark(bytes(1) - 1)).toMatch(/^this run may need up to .* GB, and this machine has/);
  expect(() => remark(bytes(0) - 1)).toThrow(/^batch: 16 rows × 128 tokens need about/);
});

it('refuses two million rows on any machine there is, and says what to change', () => {
  const huge = config({ batch: { rows: 2_000_000, sequenceLength: 1024 } });
  expect(() => memoryRemark(huge, model, { machine: 2 ** 40 })).toThrow(/2000000 rows .* give fewer batch\.rows/);
  expect(machineBytes()).toBeGreaterThan(2 ** 28);
});

it('leaves other devices to say it themselves', () => {
  expect(memoryRemark(config({ device: 'cuda' }), model, { machine: 1 })).toBeNull();
});
