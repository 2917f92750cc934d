import { DecoderCore } from 'looprpt/internal/decode/index.js';
import { expect, it } from 'vitest';
import { tinyLoopLM } from '../../../../packages/looprpt/test-support/eval-models.js';
import { roundOf, trainedTable } from './trained.js';

it('a round counts tokens, passes and drafts, and leaves the decoder at rest', () => {
  const { model } = tinyLoopLM(4);
  using core = new DecoderCore(model, { maxLength: 40, pageSize: 4, maxSequences: 3, prefixReuse: false });
  const requests = [1, 2, 3].map((first) => ({ prompt: [first, 2, 3], maxTokens: 12 }));
  const plain = roundOf(core, requests);
  // Tokens 2 … 12 of each, three loops a token.
  expect(plain).toMatchObject({ tokens: 33, passes: 99, drafted: 0, accepted: 0 });
  const drafting = roundOf(
    core,
    requests.map((request) => ({ ...request, speculate: { draftLoops: 1 } })),
  );
  expect(drafting.drafted).toBeGreaterThan(0);
  expect(core.pool.free).toBe(core.pool.pages);
  model.dispose();
  const row = { model: 'm', batch: 1, name: 'n', tokensPerSecond: 9.6, speedup: null, cpuSpeedup: 1.5, passes: 2 };
  expect(
    trainedTable([{ ...row, accepted: 0.5 }])
      .split('\n')
      .at(-1),
  ).toBe('| m | 1 | n | 10 |  | 1.50 | 2.00 | 50 % |');
});
