/** `eval --tasks`: downstream tasks on one model, and their tables. */

import type { Cli } from '../base/terminal/cli.js';
import { type Progress, progress } from '../base/terminal/progress.js';
import { renderTable } from '../base/terminal/table.js';
import { fixed, percent } from '../eval/report/format.js';
import { runTasks } from '../eval/tasks/run-tasks.js';
import { parseTaskList, taskConfig } from '../eval/tasks/task-config.js';
import type { TasksResult } from '../eval/tasks/task-result.js';
import { type OpenOptions, openModel } from '../train/state/open-model.js';

export interface TaskEvaluationOptions extends OpenOptions {
  model: string;
  tasks: string;
  thresholds?: number[] | undefined;
  shots?: number | undefined;
  limit?: number | undefined;
  maxTokens?: number | undefined;
  quiet?: true | undefined;
}

export async function evaluateTasks(cli: Cli, options: TaskEvaluationOptions): Promise<TasksResult> {
  const { thresholds: taus, shots, limit, maxTokens, quiet = false } = options;
  const given = Object.entries({ taus, shots, limit, maxTokens }).filter(([, value]) => value !== undefined);
  const configs = parseTaskList(options.tasks).map((task) =>
    taskConfig.parse({ ...Object.fromEntries(given), ...task }),
  );
  using opened = await openModel(options.model, options);
  const bars = new Map<string, Progress>();
  const result = await runTasks(opened.lm, opened.tokenizer, configs, {
    name: options.model,
    onProgress: (task, done, total) => {
      const bar = bars.get(task) ?? progress(task, total, { stream: cli.stderr, quiet });
      bars.set(task, bar);
      bar.update(done);
      if (done === total) bar.done();
    },
  });
  return result;
}

export function tasksTables({ model, tasks }: TasksResult, color: boolean): string {
  const tables = tasks.map((task) => {
    const perLoop = task.perLoop.map(({ loop, accuracy }) => [`loop ${loop}`, percent(accuracy), String(loop)]);
    const adaptive = task.adaptive.map(({ tau, accuracy, meanLoops }) => [
      `τ = ${tau}`,
      percent(accuracy),
      fixed(meanLoops, 2),
    ]);
    const title = `${model}: ${task.task}, ${task.items} items, ${task.shots} examples each`;
    return `${title}\n\n${renderTable(['exit', 'accuracy', 'mean loops'], [...perLoop, ...adaptive], { color })}`;
  });
  return tables.join('\n\n');
}
