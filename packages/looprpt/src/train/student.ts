/** The student of a run, from its configuration: a checkpoint to go on from, or fresh weights. */
import { Generator } from '@looprpt/engine';
import { UserError } from '../base/user-error.js';
import { resolveModel } from '../checkpoint/hub.js';
import { loadModel, readModelConfig } from '../checkpoint/load-model.js';
import type { LoopLMConfig } from '../model/config.js';
import { LoopLM } from '../model/loop-lm.js';
import { Tokenizer } from '../text/tokenizer.js';
import type { RunConfig } from './run-config.js';

export interface ModelSource {
  config: LoopLMConfig;
  tokenizer: Tokenizer;
  /** The folder with the tokenizer's files. */
  tokenizerFrom: string;
  /** Makes the weights; called once. */
  open: () => LoopLM;
}

/** @param options.weights false: of a model on the Hub only what describes it is fetched, and `open` must not be called */
export async function modelSource(run: RunConfig, options: { weights?: boolean } = {}): Promise<ModelSource> {
  const { model, dtype, device, seed, memory } = run;
  const ready = (student: LoopLM): LoopLM => Object.assign(student, { recomputeLoops: memory.recomputeLoops });
  if ('from' in model) {
    const folder = await resolveModel(model.from, options);
    return {
      config: readModelConfig(folder),
      tokenizer: await Tokenizer.load(folder),
      tokenizerFrom: folder,
      open: () => ready(loadModel(folder, { dtype, device })),
    };
  }
  if (run.blend < 1)
    throw new UserError(
      `blend: ${run.blend} leads back towards the start, and a model from scratch starts from nothing: set blend to 1, or model.from`,
    );
  const tokenizer = await Tokenizer.load(model.tokenizer);
  const config = freshConfig(model.architecture, tokenizer);
  return {
    config,
    tokenizer,
    tokenizerFrom: model.tokenizer,
    open: () => ready(LoopLM.create(config, new Generator(2 * seed, 'cpu'), { dtype, device })),
  };
}

type Architecture = Extract<RunConfig['model'], { architecture: unknown }>['architecture'];

function freshConfig(shape: Architecture, tokenizer: Tokenizer): LoopLMConfig {
  const { hiddenSize, heads, kvHeads = heads, headDim = hiddenSize / heads, layers } = shape;
  const fail = (message: string): never => {
    throw new UserError(`model.architecture: ${message}`);
  };
  if (heads % kvHeads !== 0) fail(`heads (${heads}) must be a multiple of kvHeads (${kvHeads})`);
  if (!Number.isInteger(headDim) || headDim % 2 !== 0)
    fail(`the head size must be an even whole number, not ${headDim}; set headDim`);
  const vocabSize = shape.vocabSize ?? 64 * Math.ceil(tokenizer.vocabSize / 64);
  if (vocabSize < tokenizer.vocabSize) fail(`vocabSize (${vocabSize}) is below the tokenizer's ${tokenizer.vocabSize}`);
  return {
    vocabSize,
    hiddenSize,
    intermediateSize: shape.intermediateSize,
    layers,
    heads,
    kvHeads,
    headDim,
    rmsNormEps: 1e-6,
    ropeTheta: shape.ropeTheta,
    loops: shape.loops,
    tieWordEmbeddings: shape.tieWordEmbeddings,
    initializerRange: shape.initializerRange,
    windows: Array.from({ length: layers }, () => null),
    exitThreshold: 1,
    exitLoop: null,
    bosTokenId: tokenizer.endOfTextId,
    eosTokenIds: [tokenizer.endOfTextId],
    padTokenId: null,
    extra: {},
  };
}
