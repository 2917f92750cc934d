/** What each cache policy costs in quality: every policy at every threshold on the same held-out problems; tables, then JSON. */
import { basename } from 'node:path';
import type { CachePolicy } from 'looprpt/internal/decode/index.js';
import { type BaseCase, openCase } from './case.js';
import { policyDocuments, questionsOf } from './documents.js';
import { difference, type Estimate, type Means, meansOf } from './intervals.js';
import { type DocumentSums, freelyWritten, teacherForced } from './measure.js';

export interface PoliciesBenchOptions {
  bases: readonly BaseCase[];
  thresholds: readonly number[];
  seeds: readonly number[];
  /** Documents of each seed. */
  count: number;
}

/** A policy and a threshold, measured. `minusComplete` compares it with the complete cache at the same threshold. */
export interface PolicyRow {
  policy: string;
  /** null: all loops. */
  threshold: number | null;
  text: Measured;
  answers: Measured;
}

interface Measured extends Means {
  minusComplete: { accuracy: Estimate; crossEntropy: Estimate } | null;
}

export interface BaseResult {
  base: string;
  task: unknown;
  documents: number;
  tokens: number;
  rows: PolicyRow[];
}

const POLICIES: readonly CachePolicy[] = [
  { decode: 'complete', prefill: 'all' },
  { decode: 'per-loop', prefill: 'all' },
  { decode: 'per-loop', prefill: 'adaptive' },
  { decode: 'last', prefill: 'all' },
  { decode: 'last', prefill: 'adaptive' },
];

/** More than any cdf. */
const NEVER = 2;

export async function benchPolicies(options: PoliciesBenchOptions): Promise<BaseResult[]> {
  const results: BaseResult[] = [];
  for (const base of options.bases) {
    const { model, tokenizer, task } = await openCase(base);
    const name = basename(base.model);
    const documents = await policyDocuments(tokenizer, task, options);
    const questions = questionsOf(documents);
    const rows = [...options.thresholds, NEVER].flatMap((threshold) => {
      const measured = POLICIES.map((policy) => {
        process.stderr.write(`${name}: ${nameOf(policy)}, τ ${threshold}\n`);
        const text = teacherForced(model, policy, threshold, documents);
        return { policy, text, answers: freelyWritten(model, policy, threshold, questions) };
      });
      const [complete] = measured;
      return measured.map(({ policy, text, answers }) => ({
        policy: nameOf(policy),
        threshold: threshold === NEVER ? null : threshold,
        text: against(text, policy.decode === 'complete' ? null : complete!.text),
        answers: against(answers, policy.decode === 'complete' ? null : complete!.answers),
      }));
    });
    model.dispose();
    const tokens = documents.reduce((sum, { counts }) => sum + counts.filter(Boolean).length, 0);
    results.push({ base: name, task, documents: documents.length, tokens, rows });
  }
  return results;
}

function nameOf({ decode, prefill }: CachePolicy): string {
  return decode === 'complete' ? decode : `${decode}, prefill ${prefill}`;
}

function against(sums: readonly DocumentSums[], complete: readonly DocumentSums[] | null): Measured {
  const minusComplete = complete && {
    accuracy: difference('accuracy', sums, complete),
    crossEntropy: difference('crossEntropy', sums, complete),
  };
  return { ...meansOf(sums), minusComplete };
}
