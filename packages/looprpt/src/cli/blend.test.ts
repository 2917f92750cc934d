/** `looprpt blend` against a plain search over runs of every share, and what it refuses. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { liveTensors } from '@looprpt/engine';
import { beforeAll, describe, expect, it } from 'vitest';
import { collectGarbage } from '../../../engine/test-support/collect-garbage.js';
import { runCli } from '../../test-support/run-cli.js';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import { TINY_TASK, type TinyRun, tinyRun } from '../../test-support/tiny-run.js';
import { loadModel } from '../checkpoint/load-model.js';
import { HOP_BASE } from '../checkpoint/shipped.js';
import { taskConfig } from '../data/tasks/index.js';
import { heldOutBatches } from '../eval/data.js';
import { scoreAt } from '../eval/score.js';
import { tableFromModel } from '../eval/table-from-model.js';
import { evenThresholds, exitsBySignal } from '../eval/thresholds.js';
import { Tokenizer } from '../text/tokenizer.js';
import { run } from '../train/run.js';
import { modelFolder } from '../train/state/model-folder.js';

let base: string;
let config: TinyRun['config'];
beforeAll(async () => {
  ({ base, config } = await tinyRun());
});

const DATA = ['--data', 'task:hop', '--count', '30'];
const HOP = taskConfig('hop', { compact: true, joined: true, alphabet: 10 });
const parameters = (folder: string): number[][] => {
  const model = loadModel(folder);
  const numbers = model.parameters().map(({ tensor }) => [...tensor.toNumbers()]);
  model.dispose();
  return numbers;
};
const weights = (folder: string): Buffer => readFileSync(join(folder, 'model.safetensors'));

/** The best accuracy within every budget of mean loops on a fine grid, averaged; budgets below the cheapest point take that one. */
async function plainFrontier(folder: string): Promise<number> {
  const data = { kind: 'task', config: TINY_TASK, split: 'tune', count: 30 } as const;
  const { batches } = await heldOutBatches(data, await Tokenizer.load(base));
  const model = loadModel(folder);
  const table = await tableFromModel(model, batches());
  model.dispose();
  const points = evenThresholds(table.exitCdf, 33).map((tau) => scoreAt(table, exitsBySignal(table.exitCdf, tau)));
  const cheapest = points.toSorted((a, b) => a.meanLoops - b.meanLoops || b.accuracy - a.accuracy)[0]!;
  const N = 20_000;
  let sum = 0;
  for (let i = 0; i < N; i++) {
    const budget = 1 + ((table.loops - 1) * (i + 0.5)) / N;
    const within = points.filter(({ meanLoops }) => meanLoops <= budget);
    sum += Math.max(...within.map(({ accuracy }) => accuracy), within.length === 0 ? cheapest.accuracy : 0);
  }
  return sum / N;
}

describe('looprpt blend', () => {
  it('keeps the share whose run has the largest frontier on the tuning split, and writes that model', async () => {
    const { path } = temporaryFolder();
    const out = join(path, 'run');
    await run(config(out, { optimizer: { learningRate: 0.01 } }), false);
    await collectGarbage();
    const before = liveTensors();
    const { code, stdout, stderr } = await runCli('blend', out, ...DATA, '--shares', '0,0.5,1', '--json', '--quiet');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(liveTensors()).toBe(before);
    const { trials, share, model } = JSON.parse(stdout) as {
      trials: { share: number; area: number }[];
      share: number;
      model: string;
    };
    expect(trials.map((trial) => trial.share)).toEqual([0, 0.5, 1]);
    for (const trial of trials) {
      const other = join(path, `blend-${trial.share}`);
      const { model: its } = await run(config(other, { optimizer: { learningRate: 0.01 }, blend: trial.share }), false);
      expect(trial.area).toBeCloseTo(await plainFrontier(its), 3);
      if (trial.share === share) expect(weights(model)).toEqual(weights(its));
    }
    expect(Math.max(...trials.map(({ area }) => area))).toBe(trials.find((trial) => trial.share === share)!.area);
    expect(await modelFolder(out, () => {})).toBe(model);
    expect(JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'))).toMatchObject({ blend: share });
  });

  it('takes a run back whole that did harm, and says so', async () => {
    const out = join(temporaryFolder().path, 'run');
    // Steps so large that a base which knows its task must forget it.
    const model = { from: HOP_BASE };
    await run(config(out, { model, data: { task: HOP }, optimizer: { learningRate: 1 }, steps: 2 }), false);
    const { code, stdout } = await runCli('blend', out, ...DATA, '--shares', '0,1', '--quiet');
    expect(code).toBe(0);
    expect(stdout).toContain('the run did harm here');
    expect(parameters(join(out, 'model'))).toEqual(parameters(HOP_BASE));
  });

  it('refuses what is no finished run from a model, and shares that are none', async () => {
    const { path } = temporaryFolder();
    const out = join(path, 'run');
    const controller = new AbortController();
    await run(config(out), false, {
      signal: controller.signal,
      onStep: ({ step }) => step === 3 && controller.abort(),
    });
    const refused = async (...args: string[]): Promise<string> => {
      const { code, stderr } = await runCli('blend', ...args, ...DATA, '--quiet');
      expect(code).toBe(1);
      return stderr;
    };
    expect(await refused(out)).toBe(
      `looprpt: ${out}: the run has made 3 of 6 steps; let it end first, with --resume\n`,
    );
    expect(await refused(join(path, 'nothing'))).toContain('is no folder of a run');
    expect(await refused(join(base, '../..'))).toContain('began from scratch');
    expect(await refused(out, '--shares', '0,2')).toBe('looprpt: --shares: 2 is no share from 0 to 1\n');
  });
});
