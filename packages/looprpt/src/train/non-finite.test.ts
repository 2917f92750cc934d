/** Numbers that are not finite, put into gradients, weights, optimizer and teacher of real runs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { noGrad } from '@looprpt/engine';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { measuredSteps } from '../../test-support/compare-runs.js';
import { shownSteps } from '../../test-support/event-files.js';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import { expectSameEnd, keptSteps, storedState, type TinyRun, tinyRun } from '../../test-support/tiny-run.js';
import { AdamW } from './adamw.js';
import { run } from './run.js';
import type { RunConfig } from './run-config.js';
import { Trainer } from './trainer.js';

let config: TinyRun['config'];
beforeAll(async () => {
  ({ config } = await tinyRun());
});
afterEach(() => vi.restoreAllMocks());

/** Everything that a run says. */
function messages(): { hooks: { onMessage: (message: string) => void }; said: string[] } {
  const said: string[] = [];
  return { hooks: { onMessage: (message) => said.push(message) }, said };
}

/** From now on, steps on these batches (counted from 1, of a fresh loader) have NaN in one gradient. What is bad is the data, so a resumed run meets it again. */
async function poisonBatches(clean: RunConfig, numbers: readonly number[]): Promise<void> {
  const bad = new Set<string>();
  let count = 0;
  const step = Trainer.prototype.step;
  const spy = vi.spyOn(Trainer.prototype, 'step').mockImplementation(function (this: Trainer, batches, rate) {
    if (numbers.includes(++count)) bad.add(batches[0]!.inputIds.join());
    return step.call(this, batches, rate);
  });
  await run(clean, false);
  spy.mockRestore();
  expect(bad.size).toBe(numbers.length);
  let poisoned = false;
  vi.spyOn(Trainer.prototype, 'step').mockImplementation(function (this: Trainer, batches, rate) {
    poisoned = bad.has(batches[0]!.inputIds.join());
    return step.call(this, batches, rate);
  });
  const norm = AdamW.prototype.gradientNorm;
  vi.spyOn(AdamW.prototype, 'gradientNorm').mockImplementation(function (this: AdamW) {
    if (poisoned) this.slots[1]!.parameter.tensor.grad!.fill_(Number.NaN);
    return norm.call(this);
  });
}

describe('gradients that are not finite', () => {
  const everyStep = { checkpoint: { every: 1, keep: 20 } };

  it('skip: the step changes nothing, is reported, and the run goes on', async () => {
    const { path } = temporaryFolder();
    const out = join(path, 'run');
    await poisonBatches(config(join(path, 'clean')), [3]);
    const { hooks, said } = messages();
    expect(await run(config(out, everyStep), false, hooks)).toMatchObject({ step: 6, skipped: 1 });
    expect(said).toEqual(['step 3: the loss or the gradient is not finite: the step was skipped']);
    const bytes = (step: number, name: string) =>
      readFileSync(join(out, `checkpoints/step-${step}/${name}`)).toString('base64');
    for (const name of ['model.safetensors', 'trainer.safetensors']) {
      expect(bytes(3, name)).toBe(bytes(2, name));
      expect(bytes(4, name)).not.toBe(bytes(3, name));
    }
    expect(measuredSteps(out).flatMap(({ step, skipped }) => (skipped ? [step] : []))).toEqual([3]);
  });

  it('stop: ends at the first, with the checkpoint before it in place', async () => {
    const { path } = temporaryFolder();
    const out = join(path, 'run');
    await poisonBatches(config(join(path, 'clean')), [3]);
    const stopped = run(config(out, { ...everyStep, nonFinite: { action: 'stop' } }), false);
    await expect(stopped).rejects.toThrow('step 3: 1 step had a loss or gradient that is not finite');
    expect(keptSteps(out)).toEqual([2, 1]);
  });

  it('rollback: goes back to the newest checkpoint and on with other data, the same when it is killed after that', async () => {
    const { path } = temporaryFolder();
    const [whole, parted] = [join(path, 'whole'), join(path, 'parted')];
    await poisonBatches(config(join(path, 'clean'), { steps: 9 }), [5, 6, 7]);
    const changes = {
      steps: 9,
      checkpoint: { every: 4, keep: 10 },
      nonFinite: { action: 'rollback' as const },
      tensorboard: true,
    };
    const { hooks, said } = messages();
    expect(await run(config(whole, changes), false, hooks)).toMatchObject({ step: 9, skipped: 3 });
    expect(said.at(-1)).toBe('went back from step 7 to 4: 3 steps in a row were not finite');
    // Step 0 was there to go back to, as well.
    expect(keptSteps(whole)).toEqual([9, 8, 4, 0]);
    const steps = measuredSteps(whole);
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(steps[4]!.warnings).toEqual([said.at(-1)]);
    expect(shownSteps(whole).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    // Steps 5 to 9 had batches 8 to 12.
    const reference = join(path, 'twelve');
    await run(config(reference, { steps: 12 }), false);
    expect(storedState(whole, 9).data).toEqual(storedState(reference, 12).data);

    // Steps that are not finite come only after checkpoint 4; ended without a checkpoint behind the rollback.
    const crash = new Error('as if killed');
    let returned = false;
    const killed = run(config(parted, changes), false, {
      onMessage: (message) => (returned ||= message.startsWith('went back')),
      onStep: ({ step }) => {
        if (returned && step === 6) throw crash;
      },
    });
    await expect(killed).rejects.toBe(crash);
    await run(config(parted, changes), true);
    expectSameEnd(whole, parted);
  });

  it('rollback: ends with its reason after as many as are allowed', async () => {
    const { path } = temporaryFolder();
    const out = join(path, 'run');
    const { hooks, said } = messages();
    const norm = AdamW.prototype.gradientNorm;
    vi.spyOn(AdamW.prototype, 'gradientNorm').mockImplementation(function (this: AdamW) {
      this.slots[0]!.parameter.tensor.grad!.fill_(Number.NEGATIVE_INFINITY);
      return norm.call(this);
    });
    const nonFinite = { action: 'rollback' as const, rollbackAfter: 2, maxRollbacks: 2 };
    await expect(run(config(out, { nonFinite }), false, hooks)).rejects.toThrow(
      'step 2: 2 steps in a row had a loss or gradient that is not finite, after 2 rollbacks',
    );
    expect(said.filter((message) => message.startsWith('went back from step 2 to 0'))).toHaveLength(2);
    expect(keptSteps(out)).toEqual([0]);
  });
});

/** After step `at` of the first pass through it, `poison` is done to the trainer. */
function poisonAfter(at: number, poison: (trainer: Trainer) => void): void {
  const step = Trainer.prototype.step;
  let count = 0;
  vi.spyOn(Trainer.prototype, 'step').mockImplementation(function (this: Trainer, batches, rate) {
    const result = step.call(this, batches, rate);
    if (++count === at) noGrad(() => poison(this));
    return result;
  });
}

const POISONS: [what: string, tensor: RegExp, poison: (trainer: Trainer) => void][] = [
  ['weights', /gate/, ({ student }) => student.weights.gateBias.fill_(Number.NaN)],
  ['optimizer', /^step 4: variance\./, ({ optimizer }) => optimizer.slots[0]!.variance.fill_(Number.POSITIVE_INFINITY)],
  ['teacher', /^step 4: teacher\./, ({ teacher }) => [...teacher!.state().values()][0]!.fill_(Number.NaN)],
];

describe.each(POISONS)('%s that are not finite', (_, tensor, poison) => {
  it('are never written; the run that is resumed ends as if nothing had been', async () => {
    const { path } = temporaryFolder();
    const [whole, hurt] = [join(path, 'whole'), join(path, 'hurt')];
    await run(config(whole), false);
    poisonAfter(4, poison);
    const stopped = await run(config(hurt), false).catch((error: Error) => error.message);
    expect(stopped).toMatch(/holds NaN or infinity, so no checkpoint was written/);
    expect(stopped).toMatch(tensor);
    expect(keptSteps(hurt)).toEqual([2]);
    vi.restoreAllMocks();
    await run(config(hurt), true);
    expectSameEnd(whole, hurt);
  });

  it('with rollback the run goes back and finishes', async () => {
    const { path } = temporaryFolder();
    const out = join(path, 'run');
    poisonAfter(4, poison);
    const { hooks, said } = messages();
    await run(config(out, { nonFinite: { action: 'rollback' } }), false, hooks);
    expect(said).toEqual([expect.stringMatching(/^went back from step 4 to 2: .* holds NaN or infinity/)]);
    expect(keptSteps(out)).toEqual([6, 4, 2, 0]);
    expect(measuredSteps(out).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
  });
});
