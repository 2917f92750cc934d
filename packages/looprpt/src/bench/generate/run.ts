/** The benchmark of decoding: rounds in which every way of decoding has one turn at every batch, then a table and the JSON. */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { engineBuild, Generator, setThreads } from '@looprpt/engine';
import { saveModel } from '../../checkpoint/save-model.js';
import { LoopLM } from '../../model/loop-lm.js';
import { EngineCore, type ExitRule } from '../../serve/engine/index.js';
import { type BenchModel, LOOPS, modelConfig } from '../cases.js';
import { findPeer } from '../peer.js';
import { median } from '../statistics.js';
import { type DecodingShape, engineStretch, plainStretch, type Stretch } from './decoding.js';
import { type PeerRound, peerRound } from './peer-decoding.js';
import { type Row, summarize } from './summary.js';

export interface GenerateBenchOptions {
  model: BenchModel;
  batches: readonly number[];
  thresholds: readonly number[];
  prompt: number;
  tokens: number;
  reps: number;
  temperature: number;
  threads: number;
  peer: boolean;
  python?: string | undefined;
}

/** A way of decoding, and which other one its speed is a multiple of. */
interface Way {
  name: string;
  against: string | null;
  run: (shape: DecodingShape) => Stretch;
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const say = (text: string): void => void process.stderr.write(`${text}\n`);

export async function benchGenerate(options: GenerateBenchOptions): Promise<void> {
  const { batches, thresholds, prompt, tokens, reps, temperature, threads } = options;
  setThreads(threads);
  const folder = mkdtempSync(join(tmpdir(), 'looprpt-bench-'));
  const model = benchModel(options.model);
  const [maxSequences, maxLength, pageSize] = [Math.max(...batches), prompt + 2 * tokens, 16];
  const pages = maxSequences * LOOPS * Math.ceil(maxLength / pageSize);
  const engineOptions = { maxSequences, maxLength, pageSize, pages };
  using core = new EngineCore(model, engineOptions);
  using library = new EngineCore(model, { ...engineOptions, reproducible: false });
  try {
    await saveModel(model, folder);
    const found = options.peer ? findPeer(engineBuild().libtorch.version, pythons(options.python)) : null;
    if (options.peer && !found) say('No Python with PyTorch and numpy was found: ours alone is measured.');
    const ways = waysOf(model, core, library, thresholds);
    const rounds = new Map<string, Stretch[]>(
      batches.flatMap((batch) => ways.map(({ name }) => [key(batch, name), []])),
    );
    const peerRounds: PeerRound[] = [];
    // The first round warms up.
    for (let round = 0; round <= reps; round++) {
      for (const batch of batches)
        for (let turn = 0; turn < ways.length; turn++) {
          const { name, run } = ways[(turn + round) % ways.length]!;
          const stretch = run({ batch, prompt, tokens, temperature });
          if (round > 0) rounds.get(key(batch, name))!.push(stretch);
        }
      if (found && round > 0)
        peerRounds.push(peerRound(found.program[0], { folder, batches, prompt, tokens, temperature, threads }));
      say(round === 0 ? 'warm' : `round ${round} of ${reps}`);
    }
    const rows = batches.flatMap((batch) => [
      ...ways.map(({ name, against }) => {
        const full = against === null ? null : rounds.get(key(batch, against))!;
        return summarize({ batch, name }, rounds.get(key(batch, name))!, full, model.config);
      }),
      ...peerRows(batch, peerRounds),
    ]);
    print(tableOf(rows));
    const machine = { cpu: cpus()[0]?.model ?? null, cores: availableParallelism() };
    const software = {
      libtorch: engineBuild().libtorch.version,
      pytorch: found?.version ?? null,
      node: process.versions.node,
    };
    const settings = { model: options.model, loops: LOOPS, prompt, tokens, temperature, threads, reps };
    print(JSON.stringify({ bench: 'generate', machine, software, settings, rows }));
  } finally {
    model.dispose();
    rmSync(folder, { recursive: true });
  }
}

const key = (batch: number, name: string): string => `${batch} ${name}`;
const pythons = (python: string | undefined): string[] | undefined => (python === undefined ? undefined : [python]);

/** Random, with a gate whose exits differ from token to token. */
function benchModel(of: BenchModel): LoopLM {
  const generator = new Generator(1);
  const model = LoopLM.create(modelConfig(of), generator);
  model.weights.gateWeight.normal_(0, 1.5 / Math.sqrt(of.hidden), generator);
  return model;
}

function waysOf(model: LoopLM, core: EngineCore, library: EngineCore, thresholds: readonly number[]): Way[] {
  const way = (name: string, engine: EngineCore, exit: ExitRule, against: string | null): Way => ({
    ...{ name, against, run: (shape: DecodingShape) => engineStretch(engine, model, shape, exit) },
  });
  const all: ExitRule = { rule: 'loops', loops: model.config.loops };
  return [
    { name: 'plain', against: null, run: (shape) => plainStretch(model, shape) },
    way('full', core, all, 'plain'),
    ...thresholds.map((threshold) => way(`gate ${threshold}`, core, { rule: 'gate', threshold }, 'full')),
    way('full, library products', library, all, 'plain'),
    way('gate, library products', library, { rule: 'gate', threshold: thresholds[0]! }, 'full, library products'),
  ];
}

function peerRows(batch: number, rounds: readonly PeerRound[]): Row[] {
  const styles = new Set(rounds.flat().map(({ style }) => style));
  return [...styles].map((style) => {
    const rates = rounds
      .flat()
      .filter((one) => one.style === style && one.batch === batch)
      .map((one) => one.decode_tokens_per_s);
    const numbers = { meanLoops: LOOPS, tokensPerSecond: median(rates), best: Math.max(...rates) };
    return { batch, name: `PyTorch peer, ${style}`, ...numbers, speedup: null, bound: null, reached: null };
  });
}

function tableOf(rows: readonly Row[]): string {
  const shown = (value: number | null, digits: number): string => (value === null ? '' : value.toFixed(digits));
  const head =
    '| batch | way | loops | tokens/s | best | × full | FLOP bound | reached |\n|--:|:--|--:|--:|--:|--:|--:|--:|';
  const lines = rows.map(({ batch, name, meanLoops, tokensPerSecond, best, speedup, bound, reached }) => {
    const cells = [shown(meanLoops, 2), shown(tokensPerSecond, 0), shown(best, 0), shown(speedup, 2), shown(bound, 2)];
    return `| ${batch} | ${name} | ${cells.join(' | ')} | ${reached === null ? '' : `${(100 * reached).toFixed(1)} %`} |`;
  });
  return [head, ...lines].join('\n');
}
