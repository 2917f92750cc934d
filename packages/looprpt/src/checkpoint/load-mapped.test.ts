/** Floating-point weights that stay in the file: the same model, in the file's own pages where the file has them as the model does. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { claimedBytes, liveTensors, noGrad, scope, tensor } from '@looprpt/engine';
import { describe, expect, test } from 'vitest';
import { collectGarbage } from '../../../engine/test-support/collect-garbage.js';
import { writeCheckpoint } from '../../test-support/checkpoint-folder.js';
import { tinyModel } from '../../test-support/slow/tiny-model.js';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import { parameterCount } from '../model/config.js';
import type { LoopLM } from '../model/loop-lm.js';
import { loadMapped } from './load-mapped.js';
import { loadModel } from './load-model.js';
import { loadReadOnly } from './load-read-only.js';
import { quantisationOf } from './quantisation.js';
import { quantiseModel } from './quantise-model.js';
import { saveModel } from './save-model.js';
import { planWeights, type WeightsWay } from './weights-plan.js';

const bits = (model: LoopLM): number[][] =>
  noGrad(() =>
    scope(() => {
      const states = model.states({ idsBT: tensor([[3, 1, 4, 1, 5, 9]], { dtype: 'int64' }) });
      return states.map((hidden) => [...model.logits(hidden).toNumbers(), ...model.gateLogits(hidden).toNumbers()]);
    }),
  );

/** A model's folder as upstream's files are, and as ours are; in ours the rows of joined matrices follow each other. */
async function folders(tieEmbeddings: boolean): Promise<{ upstream: string; ours: string }> {
  const root = temporaryFolder().path;
  const [upstream, ours] = [join(root, 'upstream'), join(root, 'ours')];
  const tensors = tinyModel(5, { tieEmbeddings, hiddenSize: 32, intermediateSize: 64 });
  // By name, as transformers writes them: o stands between k and q.
  const sorted = Object.fromEntries(Object.entries(tensors.params).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeCheckpoint(upstream, { ...tensors, params: sorted });
  const model = loadModel(upstream);
  await saveModel(model, ours);
  model.dispose();
  return { upstream, ours };
}

describe.each([
  ['untied', false],
  ['tied', true],
])('%s', (_, tied) => {
  test('a mapped model has the bits of a copied one, and leaves nothing behind', async () => {
    for (const path of Object.values(await folders(tied)))
      for (const dtype of ['float32', 'bfloat16'] as const) {
        await collectGarbage();
        const before = liveTensors();
        const [copied, mapped] = [loadModel(path, { dtype }), loadMapped(path, { dtype })];
        expect(bits(mapped)).toEqual(bits(copied));
        copied.dispose();
        mapped.dispose();
        expect(liveTensors()).toBe(before);
      }
  });

  test('the plan says to the byte what is memory of its own', async () => {
    const { upstream, ours } = await folders(tied);
    const own = (load: () => LoopLM): number => {
      const before = claimedBytes();
      const model = load();
      const bytes = claimedBytes() - before;
      model.dispose();
      return bytes;
    };
    const planned = (path: string, way: WeightsWay): number => planWeights(path, way).own;
    const mapped = { way: 'mapped', dtype: 'float32' } as const;
    const all = 4 * parameterCount(planWeights(ours, mapped).config);
    expect(own(() => loadMapped(ours))).toBe(0);
    expect(planWeights(ours, mapped)).toMatchObject({ own: 0, mapped: all, byDType: { float32: all } });
    const upstreamOwn = own(() => loadMapped(upstream));
    expect([upstreamOwn > 0, upstreamOwn]).toEqual([true, planned(upstream, mapped)]);
    expect(own(() => loadModel(ours))).toBe(planned(ours, { way: 'copied', dtype: 'float32' }));
    expect(own(() => loadMapped(ours, { dtype: 'bfloat16' }))).toBe(planned(ours, { ...mapped, dtype: 'bfloat16' }));
  });

  test('and of formats that are only read, but for a row that stands for each matrix', async () => {
    const { ours } = await folders(tied);
    const stored = join(temporaryFolder().path, 'int4');
    await quantiseModel(ours, stored, quantisationOf('int4'));
    for (const [path, format] of [
      [ours, 'bfloat16'],
      [ours, 'int8'],
      [ours, 'int4'],
      [stored, undefined],
    ] as const) {
      const before = claimedBytes();
      const model = loadReadOnly(path, { format });
      const plan = planWeights(path, { way: 'read-only', format });
      const rest = claimedBytes() - before - plan.own;
      // Four bytes a name, and the gate's row packed.
      expect(rest).toBeGreaterThanOrEqual(0);
      expect(rest).toBeLessThan(4 * 64 + 64 * 4 * 32);
      expect(plan.format).toBe(model.weightFormat);
      model.dispose();
    }
  });
});

test('a file that becomes shorter under a mapped model ends the process with a line that names it', async () => {
  const { ours } = await folders(false);
  const at = (path: string): string => JSON.stringify(new URL(`../../dist/${path}`, import.meta.url).href);
  const script = `
    import { truncateSync } from 'node:fs';
    import { tensor } from '@looprpt/engine';
    import { loadMapped } from ${at('checkpoint/load-mapped.js')};
    const model = loadMapped(${JSON.stringify(ours)});
    truncateSync(${JSON.stringify(join(ours, 'model.safetensors'))}, 4096);
    model.states({ idsBT: tensor([[1]], { dtype: 'int64' }) });
  `;
  const folder = new URL('.', import.meta.url).pathname;
  const ended = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', cwd: folder });
  expect(ended.stderr).toBe(
    `\n${join(ours, 'model.safetensors')}: became shorter while it was in use; put the whole file back and start again\n`,
  );
  expect([ended.status, ended.signal]).toEqual([1, null]);
});
