/** `eval --tasks`: downstream tasks on one model, and their tables. */

import type { Cli } from '../base/terminal/cli.js';
import { type Progress, progress } from '../base/terminal/progress.js';
import { renderTable } from '../base/terminal/table.js';
import { judgeTasks } from '../eval/judge-tasks.js';
import { fixed, percent } from '../eval/report/format.js';
import { parseTaskList } from '../eval/tasks/task-config.js';
import type { TasksResult } from '../eval/tasks/task-result.js';
import type { OpenOptions } from '../train/state/open-model.js';

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
  const tasks = parseTaskList(options.tasks).map((task) => ({ ...Object.fromEntries(given), ...task }));
  const bars = new Map<string, Progress>();
  return judgeTasks(options.model, {
    ...options,
    tasks,
    onProgress: (task, done, total) => {
      const bar = bars.get(task) ?? progress(task, total, { stream: cli.stderr, quiet });
      bars.set(task, bar);
      bar.update(done);
      if (done === total) bar.done();
    },
  });
}

export function tasksTables({ model, tasks }: TasksResult, color: boolean): string {
  const tables = tasks.map((task) => {
    const { columns, about } = MEASURES[task.kind];
    const measures = measuresOf(task);
    const rows = [...task.perLoop, ...task.adaptive].map((score, i) => {
      const exit =
        'tau' in score ? [`τ = ${score.tau}`, fixed(score.meanLoops, 2)] : [`loop ${score.loop}`, score.loop];
      return [exit[0]!, ...measures[i]!.map((share) => percent(share)), exit[1]!];
    });
    const title = `${model}: ${task.task}, ${task.items} items, ${task.shots} examples each`;
    return [title, renderTable(['exit', ...columns, 'mean loops'], rows, { color }), about].join('\n\n');
  });
  return tables.join('\n\n');
}

/** The headline comes first. */
const MEASURES = {
  choice: {
    columns: ['accuracy', 'per character'],
    about: 'headline: accuracy, by log-likelihood; beside it by log-likelihood per character of the choice',
  },
  answer: {
    columns: ['flexible', 'strict'],
    about:
      'headline: flexible match, the answer wherever it stands and by its value; strict: where the benchmark asks for it, as its own scorer compares',
  },
};

function measuresOf(task: TasksResult['tasks'][number]): number[][] {
  return task.kind === 'choice'
    ? [...task.perLoop, ...task.adaptive].map(({ accuracy, accuracyNormalised }) => [accuracy, accuracyNormalised])
    : [...task.perLoop, ...task.adaptive].map(({ accuracy, accuracyStrict }) => [accuracy, accuracyStrict]);
}
