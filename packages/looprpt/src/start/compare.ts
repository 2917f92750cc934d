/** Base and arms judged on the same held-out documents, and against each other by paired bootstrap. */
import { loadModel } from '../checkpoint/load-model.js';
import { pairedBootstrap } from '../eval/bootstrap.js';
import { difficultyOf, splitByDifficulty } from '../eval/buckets.js';
import { evaluate } from '../eval/evaluate.js';
import type { ComparisonResult, EvalResult } from '../eval/result.js';
import { tableFromModel } from '../eval/table-from-model.js';
import type { TokenTable } from '../eval/token-table.js';
import type { LoopLMConfig } from '../model/config.js';
import type { Setting } from './setting.js';

export interface Judged {
  name: string;
  model: string;
  /** base: judges difficulty, and all are compared with it; baseline: the arms are compared with it too. */
  role: 'base' | 'arm' | 'baseline';
}

export interface Comparison {
  evaluations: EvalResult[];
  comparisons: ComparisonResult[];
}

/** @param models the base comes first: its entropies tell easy tokens from hard ones for all of them */
export async function compareModels(
  models: readonly Judged[],
  { heldOut, dataName: data }: Setting,
): Promise<Comparison> {
  const batches = await heldOut();
  const tables: { name: string; role: Judged['role']; table: TokenTable; config: LoopLMConfig }[] = [];
  for (const { name, role, model: folder } of models) {
    const model = loadModel(folder);
    tables.push({ name, role, table: await tableFromModel(model, batches), config: model.config });
    model.dispose();
  }
  const base = tables[0]!;
  const entropy = difficultyOf(base.table);
  const evaluations = tables.map(({ name, table, config }) =>
    evaluate(table, { model: name, data, config, reference: { name: base.name, entropy } }),
  );
  const { thresholds } = evaluations[0]!;
  const hard = ({ name, table }: (typeof tables)[number]) => ({
    name,
    table: splitByDifficulty(table, entropy, thresholds).hard,
  });
  const comparisons = tables
    .filter(({ role }) => role === 'arm')
    .flatMap((arm) =>
      tables
        .filter(({ role }) => role !== 'arm')
        .flatMap((other) => [
          ...pairedBootstrap(arm, other),
          ...pairedBootstrap(hard(arm), hard(other), { suffix: ' (hard)' }),
        ]),
    );
  return { evaluations, comparisons };
}
