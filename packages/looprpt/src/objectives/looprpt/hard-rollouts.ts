/**
 * Rollouts of the hard tokens' queries alone, over the clean pass's keys and values, which are constants: the noise of other places is
 * left out. A query runs no further than its exit; those that are left close ranks before the next loop, and the last loop is run only
 * where rewards come from its state, because its gate is not used.
 *
 * Queries are further places of their row: [B, G·Q], rollout by rollout. After loop k those on the way lie in a table [B, R] of their
 * numbers in it; rows with fewer fill theirs up with queries that have stopped, of which nothing is read.
 *
 * Shapes: B rows, T places, E hidden, K loops, G rollouts, M hard tokens, Q hard tokens of the fullest row, N = G·Q, R queries that run.
 */
import { arange, cat, cut, noGrad, op, type Tensor, where, zeros } from '@looprpt/engine';
import type { LoopLM } from '../../model/loop-lm.js';
import type { PassContext } from '../../model/pass.js';
import { inFloat32 } from '../../model/read-out.js';
import { runLoopQueries } from '../../model/stack.js';
import type { TrainingBatch } from '../batch.js';
import type { LoopRptConfig } from './config.js';
import type { HardTokens } from './hard-tokens.js';
import type { Explored, RolloutInputs } from './rollout-types.js';
import { SampledExits } from './sampled-exits.js';

export function hardRollouts(inputs: RolloutInputs, config: LoopRptConfig): Explored {
  const { model, batch, hard, clean, random } = inputs;
  const { rolloutCount: G, policyGradient, rewardFrom } = config;
  const { loops, hiddenSize: E } = model.config;
  const [B, Q] = hard.placesBQ.shape as [number, number];
  // What is known after the last loop is never differentiated: its gate is not used.
  const states = (loop: number, body: () => Tensor): Tensor =>
    policyGradient === 'gate' || loop === loops - 1 ? noGrad(body) : body();
  const apart = (hidden: Tensor): Tensor => (model.recomputeLoops ? cut(hidden) : hidden);
  const exits = new SampledExits([G, hard.placesN.size(0)], { loops, device: model.device });
  const placesBN = cat(
    Array.from({ length: G }, () => hard.placesBQ),
    1,
  );
  const all = arange(0, G * Q, { dtype: 'int64', device: model.device })
    .unsqueeze(0)
    .expand(B, G * Q);
  let queriesBR = all;
  // The gate reads it too, and the gathering of rows can be differentiated only once.
  let hiddenBRE = states(0, () => apart(random.perturbQueries(startOf(inputs, G), 0, G, hard)));
  let endsBNE: Tensor | null = rewardFrom === 'own' ? hiddenBRE.detach() : null;
  for (let loop = 0; loop < loops - 1; loop++) {
    const gateLogitsBR = inFloat32(model.gateLogits(hiddenBRE));
    exits.after(loop, byRollout(spread(gateLogitsBR, queriesBR, G * Q), hard, G), random, hard);
    if (loop === loops - 2 && rewardFrom === 'table') break;
    const rest = onTheWay(exits.runningGM, queriesBR, hard);
    if (rest === null) break;
    queriesBR = queriesBR.gather(1, rest.columns);
    const from = hiddenBRE;
    hiddenBRE = states(loop + 1, () => {
      const context = queryContext(model, batch, placesBN.gather(1, queriesBR));
      const startBRE = apart(rowsOf(from, rest.columns));
      const cleanBRE = runLoopQueries(model, startBRE, clean.qkv[loop + 1]!, clean.context, context);
      const none = zeros([B, G * Q, E], { dtype: model.dtype, device: model.device });
      const noiseBNE = random.perturbQueries(none, loop + 1, G, hard);
      return noiseBNE === none ? cleanBRE : cleanBRE.add(rowsOf(noiseBNE, queriesBR));
    });
    if (endsBNE) endsBNE = replaced(endsBNE, queriesBR, hiddenBRE.detach(), rest.runs);
  }
  const { exitsGM, logProbsGM } = exits;
  return { exitsGM, logProbsGM, statesGME: endsBNE && byRollout(endsBNE, hard, G), noisyK: null };
}

/** Loop 1 of the clean pass at the hard tokens, for every rollout, [B, N, E]. */
function startOf({ clean, hard, model }: RolloutInputs, G: number): Tensor {
  const [B, Q] = hard.placesBQ.shape as [number, number];
  const E = model.config.hiddenSize;
  const startBQE = clean.statesK[0]!.gather(1, hard.placesBQ.unsqueeze(-1).expand(-1, -1, E));
  return startBQE
    .unsqueeze(1)
    .expand(-1, G, -1, -1)
    .reshape(B, G * Q, E);
}

function rowsOf(fromBNE: Tensor, whichBR: Tensor): Tensor {
  return fromBNE.gather(1, whichBR.unsqueeze(-1).expand(-1, -1, fromBNE.size(-1)));
}

/** Numbers [B, R] of some queries in a table of all, [B, N], 0 elsewhere; with gradients. */
function spread(valuesBR: Tensor, queriesBR: Tensor, N: number): Tensor {
  const noneBN = zeros([valuesBR.size(0), N], { dtype: valuesBR.dtype, device: valuesBR.device });
  return op('aten::scatter.src')(noneBN, 1, queriesBR, valuesBR) as Tensor;
}

/** The table with the rows of those queries that run replaced; the others in `queriesBR` only fill it up. */
function replaced(tableBNE: Tensor, queriesBR: Tensor, rowsBRE: Tensor, runsBR: Tensor): Tensor {
  const index = queriesBR.unsqueeze(-1).expand(-1, -1, tableBNE.size(-1));
  const chosenBRE = where(runsBR.unsqueeze(-1), rowsBRE, tableBNE.gather(1, index));
  return op('aten::scatter.src')(tableBNE, 1, index, chosenBRE) as Tensor;
}

/** [B, N, …] → [G, M, …], without the cells that fill rows up. */
function byRollout(valuesBN: Tensor, { placesBQ, cellsM }: HardTokens, G: number): Tensor {
  const [B, Q] = placesBQ.shape as [number, number];
  const rest = valuesBN.shape.slice(2);
  return valuesBN
    .view(B, G, Q, ...rest)
    .transpose(0, 1)
    .reshape(G, B * Q, ...rest)
    .indexSelect(1, cellsM);
}

interface Rest {
  /** Columns of a table of queries, int64 [B, R]. */
  columns: Tensor;
  /** Which of them are on the way, bool [B, R]. */
  runs: Tensor;
}

/**
 * Columns of `queriesBR` that are on the way, in order, filled up to the fullest row's number; null for none. Elsewhere than on the CPU
 * that number would have to be waited for: there all go on.
 */
function onTheWay(runningGM: Tensor, queriesBR: Tensor, { placesBQ, cellsM }: HardTokens): Rest | null {
  const { device } = runningGM;
  const [B, R] = queriesBR.shape as [number, number];
  const [G, Q] = [runningGM.size(0), placesBQ.size(1)];
  const columns = arange(0, R, { device });
  const goesBN = zeros([G, B * Q], { device })
    .indexCopy_(1, cellsM, runningGM.to({ dtype: 'float32' }))
    .view(G, B, Q)
    .transpose(0, 1)
    .reshape(B, G * Q);
  const goesBR = goesBN.gather(1, queriesBR);
  if (device !== 'cpu')
    return { columns: columns.to({ dtype: 'int64' }).unsqueeze(0).expand(B, R), runs: goesBR.gt(0) };
  const most = Math.max(...goesBR.sum(1).toNumbers());
  if (most === 0) return null;
  // The largest keys are those that go, the first column first.
  const [, order] = goesBR
    .mul(2 * R)
    .sub(columns)
    .sort(-1, true);
  const chosen = order.slice(1, 0, most);
  return { columns: chosen, runs: goesBR.gather(1, chosen).gt(0) };
}

/** The queries' own pass: each sees what the clean pass's place sees. */
function queryContext(model: LoopLM, batch: TrainingBatch, placesBR: Tensor): PassContext {
  const at = (tableBT: Tensor): Tensor => tableBT.gather(1, placesBR);
  const positionsBT = batch.positionsBT ? at(batch.positionsBT) : placesBR;
  const firstKeyBT = batch.firstKeyBT ? at(batch.firstKeyBT) : null;
  return model.contextOf({ placesBT: placesBR, positionsBT, firstKeyBT, S: batch.T });
}
