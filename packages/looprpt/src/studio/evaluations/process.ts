/** The process of one evaluation: judges, tells how far it is, ends. To stop it is to kill it: it writes nothing. */
import { requireEngine } from '../../base/prepare-engine.js';
import { UserError } from '../../base/user-error.js';
import { heldOutTask } from '../../eval/data.js';
import type { EvaluationJob, FromEvaluation } from './protocol.js';

/** So that a slider has somewhere to go. */
const THRESHOLDS = Array.from({ length: 50 }, (_, i) => (i + 1) / 50);

const tell = (message: FromEvaluation): Promise<void> =>
  new Promise((sent) => process.send!(message, undefined, {}, () => sent()));

process.once('message', async (job: EvaluationJob) => {
  try {
    await tell({ kind: 'done', result: await judged(job) });
  } catch (error) {
    const message = error instanceof UserError ? error.message : `a fault of ours: ${String(error)}`;
    await tell({ kind: 'failed', message });
  }
  process.disconnect();
});
// Nobody waits for it any more.
process.once('disconnect', () => process.exit());

async function judged({ model, base, data, maxTokens, seed, device, dtype, threads }: EvaluationJob) {
  requireEngine();
  const { judge } = await import('../../eval/judge.js');
  const task = heldOutTask(data);
  const before = new Map<string, number>();
  return judge(model.path, {
    data: task === null ? data : { ...task, seed },
    dataName: data,
    thresholds: THRESHOLDS,
    ...{ maxTokens, device, dtype, threads },
    ...(base === null ? {} : { compareWith: base.path }),
    onProgress: (name, tokens) => {
      before.set(name, tokens);
      void tell({ kind: 'progress', model: name, tokens: [...before.values()].reduce((sum, one) => sum + one, 0) });
    },
  });
}
