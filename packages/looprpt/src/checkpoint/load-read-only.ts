/**
 * Loads a model that is only read: matrices stay where they lie in the mapped file or are copied to large pages, as bfloat16 or as
 * whole numbers, or are made whole numbers while they are read. Vectors become float32, which activations are.
 *
 * Not here: weights to be trained (load-model.ts). A mapped file must not be written to while the model lives.
 */
import { full, LargePages, noGrad, type QuantisedWeight, quantise, scope, type Tensor } from '@looprpt/engine';
import type { WeightFormat } from '../base/dtypes.js';
import { UserError } from '../base/user-error.js';
import type { LoopLMConfig } from '../model/config.js';
import { LoopLM } from '../model/loop-lm.js';
import { StoredMatrices, type StoredMatrix } from '../model/stored-matrices.js';
import { upstreamTensors, type Weights } from '../model/weights.js';
import { checkFinite, checkTensors, commonDType, loaded, type OnLoad, readModelConfig } from './load-model.js';
import {
  type ModelQuantisation,
  quantisationFor,
  quantisationName,
  quantisationOf,
  quantisedParts,
  storedQuantisation,
} from './quantisation.js';
import { quoted } from './safetensors/header.js';
import { type CheckpointTensor, StoredModel } from './stored-model.js';

export interface ReadOnlyOptions {
  /** Default: as stored. */
  format?: WeightFormat | undefined;
  /** Or its settings, for whole numbers. */
  quantisation?: ModelQuantisation | undefined;
  /** Copies matrices to memory in large pages, which is read faster than a mapped file. The numbers are the same. */
  largePages?: boolean | undefined;
  /** Told of bytes read so far, and of all. */
  onLoad?: OnLoad | undefined;
}

/** Whether a folder's matrices can stay as they are: whole numbers, or bfloat16 throughout. @throws UserError where it is no model */
export function isReadableInPlace(dir: string): boolean {
  readModelConfig(dir);
  if (storedQuantisation(dir) !== null) return true;
  using stored = new StoredModel(dir);
  return commonDType(stored.tensors.values()) === 'bfloat16';
}

/** On the CPU. @throws UserError as `loadModel`, and for whole numbers that are to be made others */
export function loadReadOnly(dir: string, options: ReadOnlyOptions = {}): LoopLM {
  const config = readModelConfig(dir);
  const { format } = options;
  const ofFolder = storedQuantisation(dir);
  const wanted = options.quantisation ?? (format === 'int8' || format === 'int4' ? quantisationOf(format) : null);
  if (ofFolder && (format === 'bfloat16' || (wanted && wanted.bits !== ofFolder.bits)))
    throw new UserError(
      `${dir}: its weights are ${quantisationName(ofFolder)} already; for ${format} take the model that they were made from`,
    );
  using stored = new StoredModel(dir);
  using pages = options.largePages ? new LargePages() : null;
  const { weights, owned } = namedWeights(config);
  try {
    const loader = { config, stored, weights, owned, pages, dir, progress: loaded(stored, options.onLoad) };
    const matrices = scope(() => noGrad(() => (ofFolder ? loadCodes(loader, ofFolder) : loadNumbers(loader, wanted))));
    const quantisation = ofFolder ?? wanted;
    const name = quantisation ? quantisationName(quantisation) : 'bfloat16';
    return new LoopLM(config, weights, new StoredMatrices(name, matrices, weights.gateWeight, owned));
  } catch (error) {
    for (const tensor of owned) tensor.dispose();
    throw error;
  }
}

interface Loader {
  config: LoopLMConfig;
  stored: StoredModel;
  weights: Weights;
  /** Everything that the model is to free. */
  owned: Tensor[];
  /** Where matrices are copied; null: they stay where they are. */
  pages: LargePages | null;
  dir: string;
  progress: (tensor: CheckpointTensor) => void;
}

type Matrices = ReadonlyMap<Tensor, StoredMatrix>;

/** Floating-point matrices, as bfloat16 where they lie if that is what they are, or made whole numbers. */
function loadNumbers(loader: Loader, wanted: ModelQuantisation | null): Matrices {
  const { config, stored, weights, dir } = loader;
  checkTensors(config, stored.tensors, dir);
  const read = (name: string): CheckpointTensor => stored.tensors.get(name)!;
  const pieces = new Map<Tensor, (Tensor | QuantisedWeight)[]>();
  for (const { name, stored: of, rows } of upstreamTensors(config)) {
    const from = read(name);
    const target = of(weights);
    const isEmbedding = target === weights.embedding;
    look(loader, from, isEmbedding, (source) => {
      const isSeldomRead = isEmbedding && !config.tieWordEmbeddings && !wanted;
      check(from, isSeldomRead ? null : source);
      if (target.dim === 1 || target === weights.gateWeight) {
        fillRows(target, rows, source);
        return;
      }
      if (isEmbedding) setEmbedding(loader, source, wanted !== null);
      if (isEmbedding && !config.tieWordEmbeddings) return;
      const piece = wanted
        ? owned(loader, quantise(source, quantisationFor(isEmbedding ? 'lm_head.weight' : name, wanted)))
        : place(loader, inBfloat16(source));
      push(pieces, isEmbedding ? weights.head : target, piece);
    });
    loader.progress(from);
  }
  return matricesOf(pieces);
}

/** Whole numbers as `quantize` wrote them, where they lie. */
function loadCodes(loader: Loader, quantisation: ModelQuantisation): Matrices {
  const { config, stored, weights, dir } = loader;
  const pieces = new Map<Tensor, (Tensor | QuantisedWeight)[]>();
  const expected = new Set<string>();
  const read = (name: string, shape: readonly number[], dtype?: string): CheckpointTensor => {
    const from = stored.tensors.get(name);
    if (!from) throw new UserError(`${dir}: tensor ${quoted(name)} is missing`);
    if (String(from.shape) !== String(shape) || (dtype !== undefined && from.dtype !== dtype))
      throw new UserError(
        `${from.path}: tensor ${quoted(name)} is ${from.dtype} [${from.shape}], config.json asks for ${dtype ?? 'numbers'} [${shape}]`,
      );
    expected.add(name);
    return from;
  };
  const finite = (from: CheckpointTensor, isSeldomRead = false): Tensor => {
    const values = from.load();
    check(from, isSeldomRead ? null : values);
    loader.progress(from);
    return values;
  };
  const tied = config.tieWordEmbeddings ? [headOf(config)] : [];
  for (const { name, shape, stored: of, rows } of [...upstreamTensors(config), ...tied]) {
    const target = of(weights);
    if (target.dim === 1 || target === weights.gateWeight) {
      scope(() => fillRows(target, rows, finite(read(name, shape))));
    } else if (target === weights.embedding) {
      scope(() => setEmbedding(loader, finite(read(name, shape), true), false));
    } else {
      const parts = quantisedParts(name, shape as [number, number], quantisation);
      const load = ({ name, shape, dtype }: { name: string; shape: number[]; dtype: string }): Tensor => {
        const from = read(name, shape, dtype);
        return look(loader, from, false, (values) => {
          if (dtype === quantisation.scale) check(from, values);
          loader.progress(from);
          return place(loader, values);
        });
      };
      const { bits, group } = quantisationFor(name, quantisation);
      push(pieces, target, {
        ...{ bits, group, codes: load(parts.codes), scales: load(parts.scales) },
        zeros: parts.zeros && load(parts.zeros),
      });
    }
  }
  const unexpected = [...stored.tensors.keys()].find((name) => !expected.has(name));
  if (unexpected !== undefined)
    throw new UserError(`${dir}: tensor ${quoted(unexpected)} is not part of the model that config.json describes`);
  return matricesOf(pieces);
}

/** Uses a tensor where it lies; where it is copied anyway, its pages of the file are let go at once. */
function look<T>({ pages }: Loader, from: CheckpointTensor, stays: boolean, use: (values: Tensor) => T): T {
  return pages && !stays ? from.visit(use) : scope(() => use(from.load()));
}

/** @param values null where looking through them is not to leave them in memory: of an embedding a text reads a few rows */
function check(from: CheckpointTensor, values: Tensor | null): void {
  const look = (tensor: Tensor): void => checkFinite(tensor, from, 'is NaN or infinite');
  if (values) look(values);
  else from.visit(look);
}

/** A tied head has codes of its own: the embedding stays as it came. */
export function headOf({ vocabSize: V, hiddenSize: E }: LoopLMConfig): ReturnType<typeof upstreamTensors>[number] {
  return { name: 'lm_head.weight', shape: [V, E], stored: (weights) => weights.head, rows: [0, V] };
}

/** Names for the matrices, whose numbers are elsewhere: NaN everywhere, so that nothing can compute with one by mistake. */
function namedWeights(config: LoopLMConfig): { weights: Weights; owned: Tensor[] } {
  const { hiddenSize: E, intermediateSize: F, heads: H, kvHeads: G, headDim: D, vocabSize: V } = config;
  const owned: Tensor[] = [];
  const own = (make: () => Tensor): Tensor => {
    const tensor = scope(() => make().persist());
    owned.push(tensor);
    return tensor;
  };
  const matrix = (...shape: [number, number]): Tensor => own(() => full([1, 1], Number.NaN).expand(...shape));
  const values = (...shape: number[]): Tensor => own(() => full(shape, Number.NaN));
  const weights: Weights = {
    embedding: matrix(V, E),
    layers: Array.from({ length: config.layers }, () => ({
      qkv: matrix((H + 2 * G) * D, E),
      out: matrix(E, H * D),
      gateUp: matrix(2 * F, E),
      down: matrix(E, F),
      normBeforeAttention: values(E),
      normAfterAttention: values(E),
      normBeforeMlp: values(E),
      normAfterMlp: values(E),
    })),
    finalNorm: values(E),
    gateWeight: values(1, E),
    gateBias: values(1),
    head: matrix(V, E),
  };
  return { weights, owned };
}

function fillRows(target: Tensor, [from, to]: readonly [number, number], source: Tensor): void {
  target.slice(0, from, to).copy_(source);
}

/** @param apart a copy, so that the file can be let go */
function setEmbedding(loader: Loader, source: Tensor, apart: boolean): void {
  const { weights } = loader;
  weights.embedding = keep(loader, apart ? source.clone() : source);
}

const inBfloat16 = (source: Tensor): Tensor =>
  source.dtype === 'bfloat16' ? source : source.to({ dtype: 'bfloat16' });

function keep(loader: Loader, tensor: Tensor): Tensor {
  loader.owned.push(tensor.persist());
  return tensor;
}

/** Part of a matrix: itself, or its copy in large pages. */
function place(loader: Loader, tensor: Tensor): Tensor {
  return keep(loader, loader.pages ? loader.pages.place(tensor) : tensor);
}

function owned(loader: Loader, { codes, scales, zeros, ...settings }: QuantisedWeight): QuantisedWeight {
  const put = (tensor: Tensor): Tensor => place(loader, tensor);
  return { ...settings, codes: put(codes), scales: put(scales), zeros: zeros && put(zeros) };
}

function push<T>(pieces: Map<Tensor, T[]>, target: Tensor, piece: T): void {
  const list = pieces.get(target) ?? [];
  pieces.set(target, list);
  list.push(piece);
}

function matricesOf(pieces: ReadonlyMap<Tensor, (Tensor | QuantisedWeight)[]>): Matrices {
  return new Map(
    Array.from(pieces, ([target, list]): [Tensor, StoredMatrix] => [
      target,
      'codes' in list[0]!
        ? { kind: 'quantised', pieces: list as QuantisedWeight[] }
        : { kind: 'bfloat16', pieces: list as Tensor[] },
    ]),
  );
}
