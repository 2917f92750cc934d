/** lm-evaluation-harness on four tasks of made-up records, its tokenizer the server's; equal to `eval --tasks` or wrong. */
import { join } from 'node:path';
import type { ChoiceResult, TasksResult } from 'looprpt/internal/eval/tasks/task-result.js';
import { findHarness, runHarness, writeRecords } from '../../../packages/looprpt/test-support/dist/lm-eval/harness.js';
import { HARNESS_TASKS, madeUpRecords } from '../../../packages/looprpt/test-support/dist/lm-eval/records.js';
import { runJson } from '../../../packages/looprpt/test-support/dist/run-cli.js';
import type { Setting, Tried } from './client.js';

const RECORDS = 40;

export async function tryLmEval({ url, model, modelFolder, folder, program }: Setting): Promise<Tried[]> {
  const harness = findHarness(program);
  if (harness === null) throw new Error('lm_eval cannot be imported');
  const files = writeRecords(folder, madeUpRecords(RECORDS));
  const modelArgs = ['tokenizer_backend=remote', 'num_concurrent=4'];
  const theirs = await runHarness(harness, { url, model, files, folder, modelArgs });
  const tasks = HARNESS_TASKS.map((task) => `${task}=${files[task]}`).join(',');
  const out = join(folder, 'ours.json');
  const ours = await runJson<TasksResult>('eval', '--model', modelFolder, '--tasks', tasks, '--out', out);
  return (ours.tasks as ChoiceResult[]).map((result) => {
    const { accuracy, accuracyNormalised } = result.perLoop.at(-1)!;
    const { acc, accNorm } = theirs[result.task];
    const same = acc === accuracy && (accNorm === null || accNorm === accuracyNormalised);
    const saw = `acc ${acc}${accNorm === null ? '' : `, acc_norm ${accNorm}`}; \`eval --tasks\` the same`;
    const differs = `acc ${acc}, acc_norm ${accNorm}; \`eval --tasks\` ${accuracy}, ${accuracyNormalised}`;
    return { tried: `local-completions, ${result.task}, ${RECORDS} records`, saw: same ? saw : differs, ok: same };
  });
}
