/** The one decoder: batched, and adaptive in depth. */
export { type CachePolicy, cachePolicyConfig } from './cache-policy.js';
export { type DecoderConfig, DecoderCore, decoderConfig } from './core.js';
export { Decoder, type Submission } from './decoder.js';
export type { GeneratedToken, GenerateOptions, Generation } from './generation.js';
export { ModelFault } from './model-fault.js';
export type { TextModel } from './prompt.js';
export type { DecodeRequest, FinishReason, LogProb, ReadToken, TokenEvent } from './request.js';
export { GREEDY, type Sampling, type SamplingOptions, samplingConfig } from './sampling.js';
export type { DraftCounts, Speculate } from './speculation.js';
