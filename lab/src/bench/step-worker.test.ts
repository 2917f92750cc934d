import { Readable } from 'node:stream';
import { liveTensors, scope } from '@looprpt/engine';
import { loadModel } from 'looprpt/internal/checkpoint/load-model.js';
import { parameterCount } from 'looprpt/internal/model/config.js';
import { trainingBatch } from 'looprpt/internal/objectives/batch.js';
import { LatentRandomness } from 'looprpt/internal/objectives/looprpt/randomness.js';
import { objectiveOf } from 'looprpt/internal/objectives/objective.js';
import { describe, expect, it } from 'vitest';
import { collectGarbage } from '../../../packages/engine/test-support/collect-garbage.js';
import { temporaryFolder } from '../../../packages/looprpt/test-support/temporary-folder.js';
import { fromArgv, toArgv, type WorkerArguments } from './arguments.js';
import { MODES, modelConfig } from './cases.js';
import { prepareFiles, readBatches } from './files.js';
import { PARTS } from './profile-parts.js';
import { operatorsReplySchema, partsReplySchema, serve, stepReplySchema } from './protocol.js';
import { StepWorker } from './step-worker.js';

async function prepared(worker: string): Promise<WorkerArguments> {
  const { path } = temporaryFolder();
  const files = { model: `${path}/model`, tokens: `${path}/tokens` };
  const model = { hidden: 16, layers: 1, heads: 2, ffn: 24, vocab: 40 };
  const args = { worker, model, shape: { B: 2, T: 10 }, threads: 1, files };
  await prepareFiles(args);
  return args;
}

/** What a worker writes for these lines. */
async function answers(worker: StepWorker, lines: string): Promise<unknown[]> {
  const written: string[] = [];
  await serve(
    Readable.from([lines]),
    (line) => worker.answer(line),
    (text) => written.push(text),
  );
  return written.map((text) => JSON.parse(text) as unknown);
}

describe('a worker of ours', () => {
  it('takes the arguments that it is given', async () => {
    const args = await prepared('stage1');
    expect(fromArgv(toArgv(args))).toEqual({ ...args, dtype: 'float32' });
    expect(() => fromArgv(toArgv(args).slice(2))).toThrow();
    expect(() => fromArgv([...toArgv(args), '--other', '1'])).toThrow();
  });

  it.each(MODES.map(({ name }) => name))('%s: a line in is a step, and a line of JSON out', async (mode) => {
    const args = await prepared(mode);
    await collectGarbage();
    const live = liveTensors();
    {
      using worker = new StepWorker(args);
      const replies = (await answers(worker, '\n\n\n')).map((reply) => stepReplySchema.parse(reply));
      expect(replies).toHaveLength(3);
      for (const reply of replies) {
        expect(reply.parameters).toBe(parameterCount(modelConfig({ name: '', ...args.model })));
        expect(reply.rss).toBeGreaterThanOrEqual(reply.rss_import);
      }
      expect(new Set(replies.map(({ loss }) => loss)).size).toBe(3);
    }
    expect(liveTensors()).toBe(live);
  });

  it('begins with the model and the batch in the files', async () => {
    const args = await prepared('stage1');
    using worker = new StepWorker(args);
    const [first] = await answers(worker, '\n');
    const { objective } = MODES.find(({ name }) => name === 'stage1')!;
    const expected = scope(() => {
      const student = loadModel(args.files.model);
      const batch = trainingBatch(readBatches(args.files.tokens, args.shape)[0]!, 'cpu');
      const loss = objectiveOf(objective).loss({ student, teacher: null, batch, rowKeys: [] }).loss.item();
      student.dispose();
      return loss;
    });
    expect(stepReplySchema.parse(first).loss).toBeCloseTo(expected, 5);
  });

  it('shows where the time of a step goes, and leaves no trace in the trainer', async () => {
    const args = await prepared('looprpt-hard-backbone');
    using worker = new StepWorker(args);
    const { perturbQueries } = LatentRandomness.prototype;
    const started = performance.now();
    const [reply, after] = await answers(worker, 'parts\n\n');
    const wall = (performance.now() - started) / 1000;
    const { parts } = partsReplySchema.parse(reply);
    expect(parts.map(({ part }) => part)).toEqual(PARTS);
    for (const { part, seconds, native } of parts) {
      expect(native, part).toBeGreaterThan(0);
      expect(seconds, part).toBeGreaterThanOrEqual(native - 1e-9);
    }
    expect(parts.reduce((sum, { seconds }) => sum + seconds, 0)).toBeLessThan(wall);
    expect(LatentRandomness.prototype.perturbQueries).toBe(perturbQueries);
    stepReplySchema.parse(after);
  });

  it('has no time for parts that an objective lacks', async () => {
    using worker = new StepWorker(await prepared('uniform-ce'));
    const [reply] = await answers(worker, 'parts\n');
    const idle = partsReplySchema.parse(reply).parts.filter(({ seconds }) => seconds === 0);
    expect(idle.map(({ part }) => part)).toEqual(['teacher pass', 'rollouts', 'EMA teacher']);
  });

  it('shows every operator of a step', async () => {
    using worker = new StepWorker(await prepared('looprpt-hard-gate'));
    const [reply] = await answers(worker, 'operators\n');
    const { operators } = operatorsReplySchema.parse(reply);
    const calls = (name: string): number => operators.find(({ operator }) => operator === name)?.calls ?? 0;
    // One layer, four loops, a pass of the student and one of the teacher; rollouts from the second loop on.
    expect(calls('looprpt::attention')).toBe(8);
    expect(calls('looprpt::query_attention')).toBe(3);
  });
});
