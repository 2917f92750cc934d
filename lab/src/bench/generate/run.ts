/** The benchmark of decoding: rounds in which every way of decoding has one turn at every batch, then a table and the JSON. */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { engineBuild, Generator, setThreads } from '@looprpt/engine';
import { loadModel } from 'looprpt/internal/checkpoint/load-model.js';
import { saveModel } from 'looprpt/internal/checkpoint/save-model.js';
import { Decoder, DecoderCore } from 'looprpt/internal/decode/index.js';
import type { ExitRule } from 'looprpt/internal/model/exit-rule.js';
import { LoopLM } from 'looprpt/internal/model/loop-lm.js';
import { type BenchModel, LOOPS, modelConfig } from '../cases.js';
import { findPeer } from '../peer.js';
import { median } from '../statistics.js';
import { callersStretch, type DecodingShape, decoderStretch, type Stretch } from './decoding.js';
import { benchOuro, type OuroResult, ouroTable } from './ouro/run.js';
import { OURO } from './ouro/shape.js';
import { type PeerRound, peerRound } from './peer-decoding.js';
import { type Row, summarize, tokensPerSecond } from './summary.js';
import { benchTrained, TRAINED, trainedTable } from './trained.js';

export interface GenerateBenchOptions {
  models: readonly BenchModel[];
  /** Folders; default: those of the repository. */
  trained?: readonly string[] | undefined;
  batches: readonly number[];
  thresholds: readonly number[];
  prompt: number;
  /** Default: by model, so that a round takes seconds. */
  tokens?: number | undefined;
  reps?: number | undefined;
  temperature: number;
  /** Seconds of speculation before it is timed. */
  warmUp: number;
  threads: number;
  /** Of ours; the peer runs on the CPU alone, and beside nothing else. */
  device: string;
  peer: boolean;
  python?: string | undefined;
  /** Also at Ouro's size. */
  ouro?: { batches: readonly number[]; folder?: string | undefined; prompt: number; tokens: number } | undefined;
}

/** The benchmark of one model. */
interface Settings extends Omit<GenerateBenchOptions, 'models' | 'trained' | 'python' | 'ouro'> {
  model: BenchModel;
  tokens: number;
  reps: number;
}

const USUAL: Record<string, { tokens: number; reps: number }> = {
  '0.1M': { tokens: 192, reps: 7 },
  '2M': { tokens: 96, reps: 7 },
  '12M': { tokens: 32, reps: 7 },
  '2M-vocab49k': { tokens: 32, reps: 3 },
};

/** A way of decoding. */
interface Way {
  name: string;
  run: (shape: DecodingShape) => Stretch | Promise<Stretch>;
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const say = (text: string): void => void process.stderr.write(`${text}\n`);

export interface ModelResult {
  model: BenchModel;
  tokens: number;
  reps: number;
  rows: Row[];
}

/** @returns what the JSON holds, too */
export async function benchGenerate(options: GenerateBenchOptions): Promise<object> {
  const { models, trained = TRAINED, python, ouro, ...common } = options;
  const peer = options.peer && options.device === 'cpu';
  setThreads(options.threads);
  const libtorch = engineBuild().libtorch.version;
  const found = peer ? findPeer(libtorch, python === undefined ? undefined : [python]) : null;
  if (peer && !found) say('No Python with PyTorch and numpy was found: ours alone is measured.');
  const results: ModelResult[] = [];
  for (const model of models) {
    const usual = USUAL[model.name]!;
    const settings = { ...common, model, tokens: options.tokens ?? usual.tokens, reps: options.reps ?? usual.reps };
    const rows = await benchModel(settings, found?.program[0] ?? null);
    print(`${model.name}\n\n${tableOf(rows)}\n`);
    results.push({ model, tokens: settings.tokens, reps: settings.reps, rows });
  }
  const { batches, thresholds, prompt, temperature, threads, device, warmUp } = options;
  const trainedRows = await benchTrained(
    { models: trained, batches, tokens: options.tokens ?? 96, reps: options.reps ?? 9, temperature, threads, warmUp },
    say,
  );
  if (trainedRows.length > 0) print(`${trainedTable(trainedRows)}\n`);
  const atSize = ouro === undefined ? null : await benchAtSize(ouro, options);
  const machine = { cpu: cpus()[0]?.model ?? null, cores: availableParallelism() };
  const software = { libtorch, pytorch: found?.version ?? null, node: process.versions.node };
  const settings = { loops: LOOPS, batches, thresholds, prompt, temperature, threads, device };
  const json = { bench: 'generate', machine, software, settings, results, trained: trainedRows, ouro: atSize };
  print(JSON.stringify(json));
  return json;
}

async function benchAtSize(
  { batches, folder, prompt, tokens }: NonNullable<GenerateBenchOptions['ouro']>,
  { python, peer, reps = 3, threads }: GenerateBenchOptions,
): Promise<OuroResult> {
  const place = folder ?? mkdtempSync(join(tmpdir(), 'looprpt-bench-'));
  const peers = {
    python: peer ? (python ?? process.env.LOOPRPT_PEER_PYTHON ?? 'python3') : null,
    llama: peer ? (process.env.LOOPRPT_PEER_LLAMA ?? null) : null,
  };
  try {
    const result = await benchOuro(
      { model: OURO, folder: place, ...peers, batches, prompt, tokens, reps, threads },
      say,
    );
    print(`${OURO.name}\n\n${ouroTable(result)}\n`);
    return result;
  } finally {
    if (folder === undefined) rmSync(place, { recursive: true });
  }
}

async function benchModel(settings: Settings, python: string | null): Promise<Row[]> {
  const { batches, thresholds, prompt, tokens, reps, temperature, threads } = settings;
  const folder = mkdtempSync(join(tmpdir(), 'looprpt-bench-'));
  const model = await savedModel(settings, folder);
  const [maxSequences, maxLength, pageSize] = [Math.max(...batches), prompt + 2 * tokens, 16];
  const pages = maxSequences * LOOPS * Math.ceil(maxLength / pageSize);
  // All prompts fit into one chunk, so that sequences that join together start decoding together.
  const decoderOptions = { maxSequences, maxLength, pageSize, pages, prefillRows: maxSequences * prompt };
  using decoder = new Decoder(model, decoderOptions);
  using complete = new DecoderCore(model, { ...decoderOptions, cache: { decode: 'complete' } });
  using library = new DecoderCore(model, { ...decoderOptions, reproducible: false });
  try {
    const ways = waysOf(model, { decoder, complete, library }, thresholds);
    const rounds = new Map<string, Stretch[]>(
      batches.flatMap((batch) => ways.map(({ name }) => [key(batch, name), []])),
    );
    const peerRounds: PeerRound[] = [];
    // The first round warms up.
    for (let round = 0; round <= reps; round++) {
      for (const batch of batches)
        for (let turn = 0; turn < ways.length; turn++) {
          const { name, run } = ways[(turn + round) % ways.length]!;
          const stretch = await run({ batch, prompt, tokens, temperature });
          if (round > 0) rounds.get(key(batch, name))!.push(stretch);
        }
      if (python !== null && round > 0)
        peerRounds.push(peerRound(python, { folder, batches, prompt, tokens, temperature, threads }));
      say(`${settings.model.name}: ${round === 0 ? 'warm' : `round ${round} of ${reps}`}`);
    }
    return batches.flatMap((batch) => {
      const full = rounds.get(key(batch, FULL))!;
      return [
        ...ways.map(({ name }) =>
          summarize({ batch, name }, rounds.get(key(batch, name))!, name === FULL ? null : full, model.config),
        ),
        ...peerRows(batch, peerRounds, full),
      ];
    });
  } finally {
    model.dispose();
    rmSync(folder, { recursive: true });
  }
}

const key = (batch: number, name: string): string => `${batch} ${name}`;

/** Random, with a gate whose exits differ from token to token; the peer reads the same weights from the folder. */
async function savedModel({ model: of, device }: Settings, folder: string): Promise<LoopLM> {
  const generator = new Generator(1);
  const model = LoopLM.create(modelConfig(of), generator);
  model.weights.gateWeight.normal_(0, 1.5 / Math.sqrt(of.hidden), generator);
  await saveModel(model, folder);
  if (device === 'cpu') return model;
  model.dispose();
  return loadModel(folder, { device });
}

/** What the others are multiples of: no gate is asked, and all sequences stand at the same loop, as in any batched decoder. */
const FULL = 'full depth';

interface Decoders {
  decoder: Decoder;
  complete: DecoderCore;
  library: DecoderCore;
}

function waysOf(model: LoopLM, { decoder, complete, library }: Decoders, thresholds: readonly number[]): Way[] {
  const { core } = decoder;
  const way = (name: string, of: DecoderCore, exit: ExitRule, staggered: boolean): Way => ({
    name,
    run: (shape: DecodingShape) => decoderStretch(of, model, { ...shape, staggered }, exit),
  });
  const all: ExitRule = { rule: 'loops', loops: model.config.loops };
  return [
    way(FULL, core, all, false),
    // The gate is asked after every loop and is never content.
    way('adaptive, all loops forced', core, { rule: 'gate', threshold: 2 }, false),
    way('the same, at different loops', core, { rule: 'gate', threshold: 2 }, true),
    ...thresholds.map((threshold) => way(`adaptive, τ ${threshold}`, core, { rule: 'gate', threshold }, true)),
    ...thresholds.map((threshold) => way(`complete, τ ${threshold}`, complete, { rule: 'gate', threshold }, true)),
    way("full depth, library's products", library, all, false),
    { name: 'full depth, a caller for each text', run: (shape) => callersStretch(decoder, model, shape) },
  ];
}

function peerRows(batch: number, rounds: readonly PeerRound[], full: readonly Stretch[]): Row[] {
  const styles = new Set(rounds.flat().map(({ style }) => style));
  return [...styles].map((style) => {
    const rates = rounds.map(
      (round) => round.find((one) => one.style === style && one.batch === batch)!.decode_tokens_per_s,
    );
    const speedup = median(rates.map((rate, n) => rate / tokensPerSecond(full[n]!)));
    const numbers = { meanLoops: LOOPS, tokensPerSecond: median(rates), best: Math.max(...rates) };
    return { batch, name: `PyTorch peer, ${style}`, ...numbers, speedup, bound: null, reached: null };
  });
}

function tableOf(rows: readonly Row[]): string {
  const shown = (value: number | null, digits: number): string => (value === null ? '' : value.toFixed(digits));
  const head =
    '| batch | way | loops | tokens/s | best | × full depth | FLOP bound | reached |\n|--:|:--|--:|--:|--:|--:|--:|--:|';
  const lines = rows.map(({ batch, name, meanLoops, tokensPerSecond, best, speedup, bound, reached }) => {
    const cells = [shown(meanLoops, 2), shown(tokensPerSecond, 0), shown(best, 0), shown(speedup, 2), shown(bound, 2)];
    return `| ${batch} | ${name} | ${cells.join(' | ')} | ${reached === null ? '' : `${(100 * reached).toFixed(1)} %`} |`;
  });
  return [head, ...lines].join('\n');
}
