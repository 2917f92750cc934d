/** Base and arms judged on the same held-out documents, and against each other by paired bootstrap. */
import { interruptible } from '../base/interruptible.js';
import { loadModel } from '../checkpoint/load-model.js';
import type { ComparisonResult, EvalResult } from '../eval/result.js';
import { tableFromModel } from '../eval/table-from-model.js';
import { type Tabled, TableJudge } from '../eval/table-judge.js';
import type { Setting } from './setting.js';

export interface Judged {
  name: string;
  model: string;
  /** base: judges difficulty, and all are compared with it; baseline: the arms are compared with it too. */
  role: 'base' | 'arm' | 'baseline';
}

export interface Comparison {
  /** The base's first. */
  evaluations: EvalResult[];
  comparisons: ComparisonResult[];
  /** Names of the baselines. */
  baselines: string[];
}

/**
 * @param models the base comes first: its entropies tell easy tokens from hard ones for all of them
 * @throws the signal's reason once it was given
 */
export async function compareModels(
  models: readonly Judged[],
  { heldOut, dataName: data, dtype }: Setting,
  signal: AbortSignal,
): Promise<Comparison> {
  const batches = await heldOut();
  const tables: (Tabled & Pick<Judged, 'role'>)[] = [];
  for (const { name, role, model: folder } of models) {
    const model = loadModel(folder, dtype === undefined ? {} : { dtype });
    try {
      const table = await tableFromModel(model, interruptible(batches, signal));
      tables.push({ name, role, table, config: model.config });
    } finally {
      model.dispose();
    }
  }
  const judge = new TableJudge(tables[0]!, { data });
  const [base, ...trained] = tables;
  const baselines = trained.filter(({ role }) => role === 'baseline');
  const arms = trained.filter(({ role }) => role === 'arm');
  return {
    evaluations: tables.map((table) => judge.evaluate(table)),
    comparisons: [
      ...trained.flatMap((one) => judge.compare(one, base!)),
      ...arms.flatMap((arm) => baselines.flatMap((baseline) => judge.compare(arm, baseline))),
    ],
    baselines: baselines.map(({ name }) => name),
  };
}
