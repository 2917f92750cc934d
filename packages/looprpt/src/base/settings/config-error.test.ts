import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { TINY_RUN } from '../../../test-support/run-cli.js';
import { runConfigSchema } from '../../train/run-config.js';
import { explainConfigError } from './config-error.js';

function explained(schema: z.ZodType, input: unknown): string {
  const parsed = schema.safeParse(input);
  if (parsed.success) throw new Error('nothing is wrong with this');
  return explainConfigError(schema, input, parsed.error);
}

const changed = (change: object): object => ({ ...TINY_RUN, ...change });
const { steps: _, ...withoutSteps } = TINY_RUN;

describe('of a run configuration', () => {
  it.each<[string, object, string]>([
    ['a key that is nearly right', changed({ setps: 3 }), 'setps: no such key; did you mean steps?'],
    [
      'a wrong key before the one that it replaces',
      { ...withoutSteps, step: 5 },
      'step: no such key; did you mean steps?',
    ],
    [
      'a key of another group',
      changed({ learningRate: 1 }),
      'learningRate: no such key; did you mean optimizer.learningRate?',
    ],
    [
      'a key like no other',
      changed({ schedule: { qqqqqqqq: 1 } }),
      'schedule.qqqqqqqq: no such key; there are: kind, warmupSteps, floor',
    ],
    ['a missing key, with what it is', withoutSteps, 'steps: missing (optimizer steps)'],
    ['a wrong type', changed({ steps: '10' }), 'steps: invalid input: expected number, received string'],
    ['a number out of range', changed({ steps: -1 }), 'steps: too small: expected number to be >0'],
    [
      'a wrong choice',
      changed({ schedule: { kind: 'cosin' } }),
      'schedule.kind: "cosin" is none of constant, linear, cosine; did you mean cosine?',
    ],
    [
      'a wrong kind of objective',
      changed({ objective: { kind: 'stage2' } }),
      'objective.kind: "stage2" is none of looprpt, stage1, gate, uniform-ce, hard-token-ce, custom; did you mean stage1?',
    ],
    [
      'a key of another objective',
      changed({ objective: { kind: 'stage1', rho: 0.3 } }),
      'objective.rho: no such key; there are: kind, beta',
    ],
    [
      'one alternative with a key too many',
      changed({ model: { from: 'x', revision: 'main' } }),
      'model.revision: no such key; there are: from, architecture, tokenizer',
    ],
    [
      'the nearer of two alternatives',
      changed({ model: { architecture: TINY_RUN.model.architecture } }),
      'model.tokenizer: missing (a tokenizer folder)',
    ],
    [
      'something deep in an alternative',
      changed({ model: { tokenizer: 't', architecture: { ...TINY_RUN.model.architecture, head: 2 } } }),
      'model.architecture.head: no such key; did you mean model.architecture.heads?',
    ],
    [
      'a setting of a task',
      changed({ data: { task: { task: 'hop', hop: 3 } } }),
      'data.task.hop: no such key; did you mean data.task.hops?',
    ],
    [
      'keys of two alternatives at once',
      changed({ data: { shards: 'shards', task: { task: 'hop' } } }),
      'data.task: does not go with shards; give one of them',
    ],
    ['something else than a mapping', [], 'invalid input: expected object, received array'],
  ])('%s', (_name, input, expected) => {
    expect(explained(runConfigSchema, input)).toBe(expected);
  });
});

describe('of any schema', () => {
  it('names places in lists', () => {
    const schema = z.strictObject({ parts: z.array(z.strictObject({ weight: z.number() })) });
    expect(explained(schema, { parts: [{ weight: 1 }, { wieght: 2 }] })).toBe(
      'parts.1.wieght: no such key; did you mean parts.1.weight?',
    );
  });
});
