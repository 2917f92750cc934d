/**
 * Loads a Hugging Face folder of Ouro's architecture into a LoopLM.
 *
 * Names and shapes are checked before any memory is taken; then each tensor is looked through for numbers that are not finite and
 * copied from the mapped file straight into its rows of the model's own tensors, so that a checkpoint is in memory once.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type DType, elementBytes, firstNonFinite, isFloating, noGrad, op, scope, type Tensor } from '@looprpt/engine';
import { UserError } from '../base/user-error.js';
import { type LoopLMConfig, parseOuroConfig } from '../model/config.js';
import { LoopLM } from '../model/loop-lm.js';
import { emptyWeights, upstreamTensors, type Weights } from '../model/weights.js';
import { parseJson } from '../text/tokenizer-config.js';
import { quantisationName, storedQuantisation } from './quantisation.js';
import { quoted } from './safetensors/header.js';
import { type CheckpointTensor, CONFIG_FILE, StoredModel } from './stored-model.js';

export interface LoadOptions {
  /** Default: the checkpoint's own; where its tensors differ, the narrowest that holds them all. */
  dtype?: DType | undefined;
  /** Default 'cpu'. */
  device?: string | undefined;
  /** Told of bytes read so far, and of all. */
  onLoad?: OnLoad | undefined;
}

/** Told of bytes of weights that were read, and of all. */
export type OnLoad = (bytes: number, all: number) => void;

/** The architecture of a checkpoint folder. @throws UserError when `config.json` is missing or not Ouro's */
export function readModelConfig(dir: string): LoopLMConfig {
  const found = statSync(dir, { throwIfNoEntry: false });
  if (!found) throw new UserError(`${dir}: no such folder`);
  if (!found.isDirectory()) throw new UserError(`${dir}: not a folder; a model is a folder with ${CONFIG_FILE}`);
  const path = join(dir, CONFIG_FILE);
  if (!statSync(path, { throwIfNoEntry: false })?.isFile())
    throw new UserError(`${dir}: no ${CONFIG_FILE} in this folder, so it is not a model`);
  return parseOuroConfig(parseJson(path, readFileSync(path, 'utf8')), path);
}

/**
 * The model in a folder (`config.json` and safetensors, whole or sharded).
 * @throws UserError when anything is missing, malformed, of another shape, not finite or not part of the architecture
 */
export function loadModel(dir: string, options: LoadOptions = {}): LoopLM {
  const { config, stored } = openFloating(dir);
  using _ = stored;
  const dtype = options.dtype ?? commonDType(stored.tensors.values());
  const model = new LoopLM(config, emptyWeights(config, { dtype, device: options.device ?? 'cpu' }));
  try {
    scope(() => noGrad(() => fill(model.weights, config, stored.tensors, loaded(stored, options.onLoad))));
  } catch (error) {
    model.dispose();
    throw error;
  }
  return model;
}

function fill(
  weights: Weights,
  config: LoopLMConfig,
  tensors: ReadonlyMap<string, CheckpointTensor>,
  done: (tensor: CheckpointTensor) => void,
): void {
  for (const { name, stored, rows } of upstreamTensors(config)) {
    const from = tensors.get(name)!;
    scope(() => fillRows(stored(weights).slice(0, ...rows), from));
    done(from);
  }
}

/** Copies a tensor into rows of its own, checked. @throws UserError for numbers that are not finite, there or here */
export function fillRows(own: Tensor, from: CheckpointTensor): void {
  const source = from.load();
  checkFinite(source, from, 'is NaN or infinite');
  own.copy_(source);
  if (own.dtype !== from.dtype) checkFinite(own, from, `has no place in ${own.dtype}: it is too large`);
}

/** Counts the bytes of tensors that were read. */
export function loaded({ tensors }: StoredModel, onLoad: OnLoad = () => {}): (tensor: CheckpointTensor) => void {
  const all = [...tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  let bytes = 0;
  return ({ byteLength }) => {
    bytes += byteLength;
    onLoad(bytes, all);
  };
}

export function checkFinite(values: Tensor, { name, path }: CheckpointTensor, problem: string): void {
  const at = firstNonFinite(values);
  if (at !== null) throw new UserError(`${path}: tensor ${quoted(name)}: the element at [${at.join(', ')}] ${problem}`);
}

const TIED_HEAD = 'lm_head.weight';

/** Buffers of older transformers, which follow from the configuration. */
const RECOMPUTED = /(^|\.)rotary_emb\.inv_freq$/;

export function checkTensors(config: LoopLMConfig, tensors: ReadonlyMap<string, CheckpointTensor>, dir: string): void {
  const expected = new Map(upstreamTensors(config).map((tensor) => [tensor.name, tensor]));
  const missing = [...expected.keys()].filter((name) => !tensors.has(name));
  if (missing.length > 0) throw new UserError(`${dir}: ${few(missing, 'is missing', 'are missing')}`);
  const tied = config.tieWordEmbeddings ? tensors.get(TIED_HEAD) : undefined;
  const unexpected = [...tensors.keys()].filter(
    (name) => !expected.has(name) && name !== tied?.name && !RECOMPUTED.test(name),
  );
  if (unexpected.length > 0)
    throw new UserError(`${dir}: ${few(unexpected, 'is', 'are')} not part of the model that ${CONFIG_FILE} describes`);
  for (const { name, shape } of expected.values()) checkTensor(tensors.get(name)!, shape);
  if (tied) checkTiedHead(tied, tensors.get('model.embed_tokens.weight')!);
}

function checkTensor({ name, shape, dtype, path }: CheckpointTensor, expected: readonly number[]): void {
  if (String(shape) !== String(expected))
    throw new UserError(`${path}: tensor ${quoted(name)} has shape [${shape}], ${CONFIG_FILE} asks for [${expected}]`);
  if (!isFloating(dtype))
    throw new UserError(`${path}: tensor ${quoted(name)} has dtype ${dtype}; weights are floating-point numbers`);
}

/** A tied head may be stored beside the embedding; two matrices that differ cannot both be the model's. */
function checkTiedHead(head: CheckpointTensor, embedding: CheckpointTensor): void {
  checkTensor(head, embedding.shape);
  const equal =
    head.dtype === embedding.dtype && scope(() => op('aten::equal')<boolean>(head.load(), embedding.load()));
  if (!equal)
    throw new UserError(
      `${head.path}: tensor ${quoted(head.name)} differs from the embedding, but ${CONFIG_FILE} has tie_word_embeddings true`,
    );
}

function few(names: readonly string[], one: string, many: string): string {
  const shown = names.slice(0, 3).map(quoted).join(', ');
  const rest = names.length > 3 ? ` and ${names.length - 3} more` : '';
  return `tensor${names.length > 1 ? 's' : ''} ${shown}${rest} ${names.length > 1 ? many : one}`;
}

/** Of a folder's weights; where they differ, the narrowest that holds them all. @throws UserError where it is no model */
export function storedDType(dir: string): DType {
  using stored = openFloating(dir).stored;
  return commonDType(stored.tensors.values());
}

/** A folder's configuration and tensors, checked against each other. @throws UserError where it is no model, or one of whole numbers */
export function openFloating(dir: string): { config: LoopLMConfig; stored: StoredModel } {
  const config = readModelConfig(dir);
  const quantisation = storedQuantisation(dir);
  if (quantisation)
    throw new UserError(
      `${dir}: its weights are ${quantisationName(quantisation)}, which are only read, on the CPU; train the model that they were made from`,
    );
  const stored = new StoredModel(dir);
  try {
    checkTensors(config, stored.tensors, dir);
  } catch (error) {
    stored.close();
    throw error;
  }
  return { config, stored };
}

export function commonDType(tensors: Iterable<CheckpointTensor>): DType {
  const dtypes = new Set(Array.from(tensors, ({ dtype }) => dtype));
  const [first] = dtypes;
  if (dtypes.size === 1) return first!;
  const widest = Math.max(...Array.from(dtypes, elementBytes));
  // float16 and bfloat16 together need float32: neither holds the other.
  return widest === 8 ? 'float64' : 'float32';
}
