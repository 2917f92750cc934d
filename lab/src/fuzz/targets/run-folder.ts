/** Run folders as `report` and `--resume` read them: metrics, and the result of an evaluation. */
import fc from 'fast-check';
import { loadRun } from 'looprpt/internal/eval/report/load-run.js';
import { EvalResultSchema } from 'looprpt/internal/eval/result.js';
import { truncateAfter } from 'looprpt/internal/train/metrics/metrics-log.js';
import { madeUpEvaluation, madeUpMetrics } from '../../../../packages/looprpt/test-support/dist/made-up-evaluation.js';
import { mutatedBytes } from '../mutate/bytes.js';
import { mutatedJson } from '../mutate/json.js';
import type { CaseFiles, FuzzTarget } from '../target.js';

export function runFolder(): FuzzTarget {
  const records = madeUpMetrics(3);
  const honest = Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  const lines = fc
    .tuple(...records.map((record) => fc.oneof(fc.constant(Buffer.from(JSON.stringify(record))), mutatedJson(record))))
    .map((list) => Buffer.concat(list.flatMap((line) => [line, Buffer.from('\n')])));
  const evaluation = EvalResultSchema.parse(madeUpEvaluation('x', 0.2, 2));
  return {
    cases: fc
      .tuple(fc.oneof(lines, mutatedBytes(honest)), mutatedJson({ out: 'x', steps: 3 }), mutatedJson(evaluation))
      .map(
        ([metrics, config, result]): CaseFiles => [
          ['metrics.jsonl', metrics],
          ['config.json', config],
          ['eval.json', result],
        ],
      ),
    async read(folder) {
      const { run } = loadRun(folder);
      truncateAfter(`${folder}/metrics.jsonl`, 2);
      void run;
    },
  };
}
