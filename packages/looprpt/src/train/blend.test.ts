/** The blended model against plain arithmetic, and as the end of runs: whole, interrupted, and killed before it was written. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { liveTensors } from '@looprpt/engine';
import { beforeAll, describe, expect, it } from 'vitest';
import { collectGarbage } from '../../../engine/test-support/collect-garbage.js';
import { assertClose } from '../../test-support/close.js';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import { type TinyRun, tinyRun } from '../../test-support/tiny-run.js';
import { loadModel } from '../checkpoint/load-model.js';
import { blendTowards } from './blend.js';
import { run } from './run.js';
import { modelFolder } from './state/model-folder.js';

let base: string;
let config: TinyRun['config'];
beforeAll(async () => {
  ({ base, config } = await tinyRun());
});

/** All weights of a model folder, as numbers. */
function weightsOf(folder: string): number[][] {
  const model = loadModel(folder, { dtype: 'float64' });
  const numbers = model.parameters().map(({ tensor }) => [...tensor.toNumbers()]);
  model.dispose();
  return numbers;
}

const bytesOf = (folder: string): Buffer => readFileSync(join(folder, 'model.safetensors'));
const silent = (): void => {};

describe('weights between two models', () => {
  it.each(['float64', 'float32', 'bfloat16'] as const)(
    'are the share of the way, element by element, in %s',
    async (dtype) => {
      await collectGarbage();
      const before = liveTensors();
      const [start, end] = [loadModel(base, { dtype }), loadModel(base, { dtype })];
      for (const { tensor } of end.parameters()) tensor.mul_(1.5).add_(0.125);
      const values = (model: typeof start): number[][] =>
        model.parameters().map(({ tensor }) => [...tensor.toNumbers()]);
      const [from, to] = [values(start), values(end)];
      blendTowards(start, end, 0.3);
      const expected = from.map((row, i) => row.map((x, j) => x + 0.3 * (to[i]![j]! - x)));
      const tolerance = { float64: 1e-15, float32: 1e-6, bfloat16: 2 ** -8 }[dtype];
      for (const [i, row] of values(start).entries()) assertClose(row, expected[i]!, tolerance, `parameter ${i}`);
      expect(values(end)).toEqual(to);
      for (const model of [start, end]) model.dispose();
      expect(liveTensors()).toBe(before);
    },
  );
});

describe('a run with blend', () => {
  const blended = { blend: 0.4 } as const;

  it('ends in the blended model, which is what its folder means, and trains like one without', async () => {
    const { path } = temporaryFolder();
    const [plain, out] = [join(path, 'plain'), join(path, 'run')];
    await run(config(plain), false);
    await collectGarbage();
    const before = liveTensors();
    const { model } = await run(config(out, blended), false);
    expect(liveTensors()).toBe(before);
    expect(model).toBe(join(out, 'model'));
    expect(await modelFolder(out, silent)).toBe(model);
    const last = 'checkpoints/step-6';
    expect(bytesOf(join(out, last))).toEqual(bytesOf(join(plain, last)));
    const [start, end] = [weightsOf(base), weightsOf(join(out, last))];
    const expected = start.map((row, i) => row.map((x, j) => x + 0.4 * (end[i]![j]! - x)));
    for (const [i, row] of weightsOf(model).entries()) assertClose(row, expected[i]!, 1e-6, `parameter ${i}`);
    expect(existsSync(join(model, 'tokenizer.json'))).toBe(true);
  });

  it('has none while it is interrupted, and the same one in the end, also when killed before it was written', async () => {
    const { path } = temporaryFolder();
    const [whole, parted] = [join(path, 'whole'), join(path, 'parted')];
    const { model: expected } = await run(config(whole, blended), false);
    const controller = new AbortController();
    const onStep = ({ step }: { step: number }) => step === 3 && controller.abort();
    const first = await run(config(parted, blended), false, { signal: controller.signal, onStep });
    expect(first.model).toBe(join(parted, 'checkpoints/step-3'));
    expect(await modelFolder(parted, silent)).toBe(first.model);
    const second = await run(config(parted, blended), true);
    expect(bytesOf(second.model)).toEqual(bytesOf(expected));
    rmSync(second.model, { recursive: true });
    const again = await run(config(parted, blended), true);
    expect(again.model).toBe(second.model);
    expect(bytesOf(again.model)).toEqual(bytesOf(expected));
  });

  it('is written anew with another share, without a step', async () => {
    const { path } = temporaryFolder();
    const [one, other] = [join(path, 'one'), join(path, 'other')];
    await run(config(one, { blend: 0.4 }), false);
    let steps = 0;
    const { model } = await run(config(one, { blend: 0.7 }), true, { onStep: () => steps++ });
    expect(steps).toBe(0);
    expect(JSON.parse(readFileSync(join(one, 'config.json'), 'utf8'))).toMatchObject({ blend: 0.7 });
    const { model: expected } = await run(config(other, { blend: 0.7 }), false);
    expect(bytesOf(model)).toEqual(bytesOf(expected));
    const unblended = await run(config(one), true);
    expect(unblended.model).toBe(join(one, 'checkpoints/step-6'));
    expect(await modelFolder(one, silent)).toBe(unblended.model);
  });

  it('is not for a model from scratch, and says so before anything is written', async () => {
    const { path } = temporaryFolder();
    const architecture = { hiddenSize: 8, intermediateSize: 8, layers: 1, heads: 2, loops: 2 };
    const fresh = config(join(path, 'run'), {
      ...blended,
      model: { architecture, tokenizer: base },
      objective: { kind: 'stage1' },
    });
    await expect(run(fresh, false)).rejects.toThrow('blend: 0.4 leads back towards the start');
    expect(existsSync(join(path, 'run'))).toBe(false);
  });
});
