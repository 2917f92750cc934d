#!/usr/bin/env node
/**
 * `npm run bench:distributed`: steps of one process of one thread against those of several such processes with the same global batch,
 * on this machine, in turns. Efficiency is t(1) / (n · t(n)); bytes are those that the kernel counts, against the least that a sum
 * over n ranks needs, 2(n − 1)/n times its size for each. The last line is one JSON object.
 */
import { createInterface } from 'node:readline';
import { Command } from '@commander-js/extra-typings';
import { integer } from 'looprpt/internal/cli/values.js';
import { parameterCount } from 'looprpt/internal/model/config.js';
import { freePort, type RankProcess, startRank } from '../../../packages/looprpt/test-support/dist/ranks.js';
import { MODELS, MODES, modelConfig } from './cases.js';
import type { RankReply, RankSettings } from './distributed-worker.js';
import { median } from './statistics.js';

const command = new Command('bench:distributed')
  .description('Scaling over processes of one thread on this machine, which should have as many idle cores.')
  .option('--model <name>', `one of ${MODELS.map(({ name }) => name).join(', ')}`, '2M')
  .option('--mode <name>', `one of ${MODES.map(({ name }) => name).join(', ')}`, 'looprpt-hard-gate')
  .option('--rows <n>', 'of the global batch', integer(1), 16)
  .option('--places <n>', 'of a row', integer(1), 128)
  .option('--ranks <n>', 'processes', integer(2), 2)
  .option('--rounds <n>', 'measured rounds of each, in turns', integer(1), 7)
  .option('--steps <n>', 'of a round', integer(1), 3)
  .option('--bucket-megabytes <n>', 'of gradients', Number, 4)
  .option('--zero', 'ZeRO-1', false);

/** A started benchmark process: ask, then read the answer. */
class Rank {
  readonly #lines: AsyncIterator<string>;
  constructor(readonly process: RankProcess) {
    this.#lines = createInterface({ input: process.child.stdout! })[Symbol.asyncIterator]();
  }
  ask(steps: number): void {
    this.process.child.stdin!.write(`${steps}\n`);
  }
  async answer(): Promise<RankReply> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`a rank ended: ${(await this.process.ended).err}`);
    return JSON.parse(value as string) as RankReply;
  }
}

const WORKER = new URL('./distributed-worker.js', import.meta.url).pathname;

async function start(size: number, settings: RankSettings): Promise<Rank[]> {
  const port = String(await freePort());
  const args = [process.execPath, WORKER, JSON.stringify(settings)] as const;
  return Array.from(
    { length: size },
    (_, rank) => new Rank(startRank(rank, size, args, { MASTER_PORT: port }, 'pipe')),
  );
}

/** All ranks make their steps at once; the slowest counts. */
async function round(ranks: readonly Rank[], steps: number): Promise<Omit<RankReply, 'bytes'> & { bytes: number }> {
  for (const rank of ranks) rank.ask(steps);
  const replies = await Promise.all(ranks.map((rank) => rank.answer()));
  return {
    seconds: Math.max(...replies.map(({ seconds }) => seconds)) / steps,
    cpu: replies.reduce((sum, { cpu }) => sum + cpu, 0) / steps,
    bytes: replies.reduce((sum, { bytes }) => sum + (bytes ?? Number.NaN), 0) / steps,
    loss: replies[0]!.loss,
  };
}

const { model: name, mode, rows, places, ranks: n, rounds, steps, bucketMegabytes, zero } = command.parse().opts();
const model = MODELS.find((known) => known.name === name);
if (!model || !MODES.some((known) => known.name === mode))
  command.error(`no model ${name} or no mode ${mode}; see --help`);
if (rows % n !== 0) command.error(`${rows} rows do not divide by ${n} ranks`);
const settings: RankSettings = { model: name, mode, B: rows, T: places, zero, bucketMegabytes };
const [alone, together] = await Promise.all([start(1, settings), start(n, settings)]);
await round(alone, 1);
await round(together, 1);
const one: Awaited<ReturnType<typeof round>>[] = [];
const many: typeof one = [];
for (let i = 0; i < rounds; i++) {
  one.push(await round(alone, steps));
  many.push(await round(together, steps));
}
for (const { process: rank } of [...alone, ...together]) rank.child.stdin!.end();

const seconds = { one: median(one.map((r) => r.seconds)), many: median(many.map((r) => r.seconds)) };
const efficiency = seconds.one / (n * seconds.many);
// What is left of it by the work alone: on a machine that does other things too, the time says little.
const cpuEfficiency = median(one.map((r) => r.cpu)) / median(many.map((r) => r.cpu));
const parameters = parameterCount(modelConfig(model!));
// Of all ranks together: each sends 2(n − 1)/n of the gradient; with ZeRO as much again, by half, for the weights it gives out.
const least = n * ((2 * (n - 1)) / n) * 4 * parameters * (zero ? 1.5 : 1);
const bytes = median(many.map((r) => r.bytes));
const difference = Math.abs(one.at(-1)!.loss - many.at(-1)!.loss);
process.stdout.write(
  [
    `${name}, ${mode}, ${rows} x ${places}, ${parameters} parameters${zero ? ', ZeRO-1' : ''}`,
    `1 process   ${(seconds.one * 1000).toFixed(1)} ms a step`,
    `${n} processes ${(seconds.many * 1000).toFixed(1)} ms a step, efficiency ${(100 * efficiency).toFixed(1)} % (by processor time ${(100 * cpuEfficiency).toFixed(1)} %)`,
    `sent        ${(bytes / 1e6).toFixed(2)} MB a step by all, ${(bytes / least).toFixed(3)} times the least`,
    `losses      differ by ${difference.toExponential(1)} after ${1 + rounds * steps} steps`,
    '',
  ].join('\n'),
);
const result = {
  ...settings,
  ranks: n,
  parameters,
  seconds,
  efficiency,
  cpuEfficiency,
  bytes,
  leastBytes: least,
  difference,
};
process.stdout.write(`${JSON.stringify(result)}\n`);
