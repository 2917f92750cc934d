/** `eval --tasks` against lm-evaluation-harness itself, over a server of ours; where a Python has it. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findHarness, runHarness, writeRecords } from '../../../test-support/lm-eval/harness.js';
import { HARNESS_TASKS, madeUpRecords } from '../../../test-support/lm-eval/records.js';
import { runJson } from '../../../test-support/run-cli.js';
import { startTestServer } from '../../../test-support/serve/test-server.js';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { HOP_BASE } from '../../checkpoint/shipped.js';
import type { ChoiceResult, TasksResult } from './task-result.js';

const RECORDS = 40;
/** The harness counts with the server's tokenizer and sends texts, so that all three of its routes have their part. */
const REMOTE = ['tokenizer_backend=remote', 'tokenized_requests=False', 'num_concurrent=2'];

it('lm-evaluation-harness has the same scores, to the digit', { timeout: 300_000 }, async ({ skip }) => {
  const harness = findHarness();
  if (harness === null) return skip('no lm_eval here: LM_EVAL_PYTHON names a Python with lm_eval[api]');
  const folder = temporaryFolder().path;
  const files = writeRecords(folder, madeUpRecords(RECORDS));
  await using served = await startTestServer({ folder: HOP_BASE, decoder: { maxLength: 2048 } });
  const theirs = await runHarness(harness, { url: served.url, model: 'tiny', files, folder, modelArgs: REMOTE });

  const tasks = HARNESS_TASKS.map((task) => `${task}=${files[task]}`).join(',');
  const ours = await runJson<TasksResult>(
    'eval',
    '--model',
    HOP_BASE,
    '--tasks',
    tasks,
    '--out',
    join(folder, 'o.json'),
  );
  for (const result of ours.tasks as ChoiceResult[]) {
    const { acc, accNorm } = theirs[result.task];
    const { accuracy, accuracyNormalised } = result.perLoop.at(-1)!;
    expect([result.task, accuracy]).toEqual([result.task, acc]);
    if (accNorm !== null) expect([result.task, accuracyNormalised]).toEqual([result.task, accNorm]);
  }
  expect(served.faults).toEqual([]);
});
