/**
 * One rank of the scaling benchmark: for every line with a number on its input it makes so many steps and answers with the seconds they
 * took, the bytes it sent, and the last loss. Its rows are every w-th of the global batch.
 */
import { createInterface } from 'node:readline';
import { Generator, type ProcessGroup, setThreads, tcpBytesSent } from '@looprpt/engine';
import { Rng } from 'looprpt/internal/base/rng.js';
import { BatchRow, emptyBatch, type PackedBatch } from 'looprpt/internal/data/loader/batch.js';
import { LoopLM } from 'looprpt/internal/model/loop-lm.js';
import { objectiveOf } from 'looprpt/internal/objectives/objective.js';
import { distributedConfigSchema } from 'looprpt/internal/train/distributed/config.js';
import { joinPeers } from 'looprpt/internal/train/distributed/join.js';
import { Trainer } from 'looprpt/internal/train/trainer.js';
import { MODELS, MODES, modelConfig, runConfig } from './cases.js';

export interface RankSettings {
  model: string;
  mode: string;
  /** The global batch: rows x places. */
  B: number;
  T: number;
  zero: boolean;
  bucketMegabytes: number;
}

export interface RankReply {
  seconds: number;
  /** Processor time of all its threads. */
  cpu: number;
  /** Null where the system does not count them. */
  bytes: number | null;
  loss: number;
}

function rowsOf(group: ProcessGroup | null, vocab: number, { B, T }: RankSettings): PackedBatch {
  const { rank, size } = group ?? { rank: 0, size: 1 };
  const rng = Rng.fromSeed(1);
  const batch = emptyBatch(B / size, T);
  for (let row = 0; row < B; row++) {
    const ids = Int32Array.from({ length: T + 1 }, () => rng.below(vocab));
    if (row % size === rank) new BatchRow(batch, Math.floor(row / size)).place({ ids, loss: null }, 0, T, row);
  }
  return batch;
}

const settings = JSON.parse(process.argv[2]!) as RankSettings;
const distributed = distributedConfigSchema.parse({ zero: settings.zero, bucketMegabytes: settings.bucketMegabytes });
setThreads(1);
await using group = await joinPeers({ distributed, device: 'cpu' });
const model = MODELS.find(({ name }) => name === settings.model)!;
const { objective } = MODES.find(({ name }) => name === settings.mode)!;
const { optimizer, teacherDecay, seed } = runConfig(objective, settings);
const student = LoopLM.create(modelConfig(model), new Generator(1));
const ranks = group ? { group, config: distributed } : undefined;
using trainer = new Trainer({ student, objective: objectiveOf(objective), optimizer, teacherDecay, seed, ranks });
const batch = rowsOf(group, model.vocab, settings);
for await (const line of createInterface({ input: process.stdin })) {
  const before = tcpBytesSent();
  const cpuBefore = process.cpuUsage();
  const start = performance.now();
  let loss = Number.NaN;
  for (let step = 0; step < Number(line); step++) loss = trainer.step([batch], optimizer.learningRate).loss;
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  const after = tcpBytesSent();
  const bytes = before === null || after === null ? null : after - before;
  process.stdout.write(`${JSON.stringify({ seconds, cpu: (user + system) / 1e6, bytes, loss } satisfies RankReply)}\n`);
}
