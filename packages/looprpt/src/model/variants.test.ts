/**
 * Checkpoints of many shapes, written by hand, loaded and compared with the slow float64 model: number of loops, grouped
 * heads, head size, dtypes, shards, tied embeddings, sliding windows, packed documents, left padding.
 */
import { type DType, noGrad, scope, stack, tensor } from '@looprpt/engine';
import { describe, expect, test } from 'vitest';
import { type HandDType, roundedParams, writeCheckpoint } from '../../test-support/checkpoint-folder.js';
import { firstReaching, exitPdf as slowExitPdf } from '../../test-support/slow/slow-exit.js';
import {
  endOfLoop,
  gateLogit,
  headLogits,
  isVisible,
  keyValueAt,
  layerAt,
  parameter,
  rotaryPositions,
  type SlowConfig,
  type SlowInput,
} from '../../test-support/slow/slow-loop-lm.js';
import { random, type TinyModel, tinyModel } from '../../test-support/slow/tiny-model.js';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import { chosenStep, exitLogits } from '../../test-support/upstream-exit.js';
import { loadModel } from '../checkpoint/folder.js';
import { KVCache } from './kv-cache.js';
import type { LoopLM, TokenBatch } from './loop-lm.js';

interface Variant {
  what: string;
  shape?: Partial<SlowConfig>;
  dtype?: HandDType;
  shards?: number;
  /** Keys of config.json beside those of the shape. */
  config?: Record<string, unknown>;
  /** Per layer, what the keys of `config` mean. */
  windows?: (number | null)[];
}

const variants: Variant[] = [
  { what: 'one loop', shape: { loops: 1 } },
  { what: 'two loops, a key head for each query head', shape: { loops: 2, heads: 2, kvHeads: 2 } },
  { what: 'six loops, one key head for four query heads', shape: { loops: 6, heads: 4, kvHeads: 1 } },
  { what: 'three groups of two heads', shape: { heads: 6, kvHeads: 3, hiddenSize: 12, headDim: 2 } },
  { what: 'heads that are together wider than the state', shape: { hiddenSize: 6, heads: 4, kvHeads: 2, headDim: 10 } },
  { what: 'heads that are together narrower', shape: { hiddenSize: 10, heads: 3, kvHeads: 3, headDim: 2 } },
  { what: 'one layer, a large base and epsilon', shape: { layers: 1, ropeTheta: 1e6, normEps: 0.1 } },
  { what: 'BF16', dtype: 'BF16' },
  { what: 'F16', dtype: 'F16' },
  { what: 'F64', dtype: 'F64' },
  { what: 'three shards in BF16', shards: 3, dtype: 'BF16' },
  { what: 'tied embeddings', shape: { tieEmbeddings: true } },
  {
    what: 'key heads and head size left out of config.json',
    shape: { heads: 2, kvHeads: 2, headDim: 4 },
    config: { num_key_value_heads: null, head_dim: undefined },
  },
  {
    what: 'a window in every layer',
    shape: { loops: 2 },
    config: { use_sliding_window: true, sliding_window: 3, max_window_layers: 0 },
    windows: [3, 3],
  },
  {
    what: 'a window from the second layer on',
    shape: { layers: 3, loops: 2 },
    config: { use_sliding_window: true, sliding_window: 2, max_window_layers: 1 },
    windows: [null, 2, 2],
  },
  {
    what: 'a window in the layers that are listed',
    config: { use_sliding_window: true, sliding_window: 4, layer_types: ['sliding_attention', 'full_attention'] },
    windows: [4, null],
  },
  {
    what: 'a window that is switched off',
    config: { use_sliding_window: false, sliding_window: 2, max_window_layers: 0 },
  },
];

const T = 9;
const B = 2;

/** Plain rows, packed documents, left padding: the slow model's input and ours. */
const inputs = (ids: number[][]): Record<string, { slow: SlowInput; firstKey: number[][] | null }> => ({
  'plain rows': { slow: { ids }, firstKey: null },
  'packed documents': {
    slow: { ids, segments: [[0, 0, 0, 0, 1, 1, 1, 2, 2], Array<number>(T).fill(0)] },
    firstKey: [[0, 0, 0, 0, 4, 4, 4, 7, 7], Array<number>(T).fill(0)],
  },
  'left padding': {
    slow: { ids, attentionMask: [[0, 0, 0, 1, 1, 1, 1, 1, 1], Array<number>(T).fill(1)] },
    firstKey: [Array<number>(T).fill(3), Array<number>(T).fill(0)],
  },
});

/** States [k][b][s][e]; the slow model's own forward pass knows no windows. */
function slowStates({ config, params }: TinyModel, input: SlowInput, windows: (number | null)[]): number[][][][] {
  const E = config.hiddenSize;
  const embedding = parameter(params, 'model.embed_tokens.weight').data;
  const positions = rotaryPositions(input);
  let x = input.ids.map((row) => row.map((id) => Array.from(embedding.subarray(id * E, (id + 1) * E))));
  return Array.from({ length: config.loops }, () => {
    windows.forEach((window, layer) => {
      x = x.map((row, b) => {
        const keysValues = row.map((vector, s) => keyValueAt(config, params, layer, vector, positions[b]![s]!));
        return row.map((vector, s) => {
          const near = keysValues.filter((_, j) => isVisible(input, b, s, j) && j > s - (window ?? T));
          return layerAt(config, params, layer, vector, positions[b]![s]!, near);
        });
      });
    });
    x = x.map((row) => row.map((vector) => endOfLoop(config, params, vector)));
    return x;
  });
}

function batchOf({ ids }: SlowInput, positions: number[][], firstKey: number[][] | null): TokenBatch {
  const int64 = { dtype: 'int64' } as const;
  return {
    idsBT: tensor(ids, int64),
    positionsBT: tensor(positions, int64),
    firstKeyBT: firstKey && tensor(firstKey, int64),
  };
}

/**
 * In float64 all that is left is another order of additions. In float32 every loop multiplies the noise of the one before,
 * and these models have large weights: the comparison there only shows that the dtype runs and means the same.
 */
const tolerance = (dtype: DType): number => (dtype === 'float64' ? 1e-10 : 1e-3);

describe.each(variants)('$what', ({ shape = {}, dtype = 'F32', shards = 1, config = {}, windows }) => {
  const raw = tinyModel(11, shape);
  const tiny: TinyModel = { ...raw, params: roundedParams(raw.params, dtype) };
  const numbers = random(12);
  const ids = Array.from({ length: B }, () => Array.from({ length: T }, () => numbers.below(tiny.config.vocabSize)));

  const load = (as: DType): LoopLM => {
    const folder = temporaryFolder().path;
    writeCheckpoint(folder, tiny, { dtype, shards, configExtra: config });
    return loadModel(folder, { dtype: as });
  };

  test.each(Object.entries(inputs(ids)))('%s', (_, { slow, firstKey }) => {
    const expected = slowStates(tiny, slow, windows ?? Array<null>(tiny.config.layers).fill(null));
    // What a padding place holds is nobody's business.
    const places = expected[0]!.flatMap((row, b) =>
      row.flatMap((_state, s) => (slow.attentionMask?.[b]?.[s] === 0 ? [] : [[b, s] as const])),
    );
    for (const as of ['float32', 'float64'] as const) {
      const model = load(as);
      noGrad(() =>
        scope(() => {
          const states = model.states(batchOf(slow, rotaryPositions(slow), firstKey));
          const hiddenKBTE = stack(states);
          const hidden = hiddenKBTE.toArray<number[][][][]>();
          const gates = model.gateLogits(hiddenKBTE).toArray<number[][][]>();
          const logits = model.logits(hiddenKBTE).toArray<number[][][][]>();
          const close = (actual: number, wanted: number, where: string): void =>
            expect(Math.abs(actual - wanted), where).toBeLessThan(tolerance(as));
          expect(hidden.length).toBe(tiny.config.loops);
          expected.forEach((loop, k) => {
            for (const [b, s] of places) {
              const state = loop[b]![s]!;
              const where = `${as}, loop ${k}, row ${b}, position ${s}`;
              state.forEach((value, e) => void close(hidden[k]![b]![s]![e]!, value, where));
              close(gates[k]![b]![s]!, gateLogit(tiny.params, state), where);
              headLogits(tiny.config, tiny.params, state).forEach((value, v) => {
                close(logits[k]![b]![s]![v]!, value, where);
              });
            }
          });
          if (as === 'float32') return;
          const threshold = 0.6;
          const steps = chosenStep({ rule: 'threshold', threshold }, model.gateLogits(hiddenKBTE)).toArray<
            number[][]
          >();
          const { logitsBTV } = exitLogits(model, states, { rule: 'expected' });
          const mixed = logitsBTV.toArray<number[][][]>();
          for (const [b, s] of places) {
            const pdf = slowExitPdf(expected.map((loop) => gateLogit(tiny.params, loop[b]![s]!)));
            expect(steps[b]![s]).toBe(firstReaching(pdf, threshold));
            const perLoop = expected.map((loop) => headLogits(tiny.config, tiny.params, loop[b]![s]!));
            mixed[b]![s]!.forEach((value, v) => {
              close(
                value,
                perLoop.reduce((sum, own, k) => sum + pdf[k]! * own[v]!, 0),
                'expected logits',
              );
            });
          }
        }),
      );
      model.dispose();
    }
  });

  test.each([[[T]], [[4, 5]], [[1, 1, 6, 1]]])('cached in passes of %j', (chunks) => {
    const model = load('float64');
    noGrad(() =>
      scope(() => {
        const idsBT = tensor(ids, { dtype: 'int64' });
        const whole = stack(model.states({ idsBT }));
        using cache = new KVCache(model.config, { batch: B, capacity: T, dtype: 'float64', device: 'cpu' });
        let at = 0;
        for (const size of chunks) {
          const part = stack(model.states({ idsBT: idsBT.slice(1, at, at + size) }, { cache }));
          const difference = part
            .sub(whole.slice(2, at, at + size))
            .abs()
            .flatten()
            .amax(0)
            .item();
          expect(difference).toBeLessThan(tolerance('float64'));
          at += size;
        }
      }),
    );
    model.dispose();
  });
});
