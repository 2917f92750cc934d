/** The depth-adaptive batched decoder. */

export { type ExitRule, exitRuleConfig } from '../model/exit-rule.js';
export { type CachePolicy, cachePolicyConfig } from './cache-policy.js';
export { type DecoderConfig, DecoderCore, decoderConfig } from './core.js';
export { Decoder, type Submission } from './decoder.js';
export { ModelFault } from './model-fault.js';
export type { DecodeRequest, FinishReason, LogProb, ReadToken, TokenEvent } from './request.js';
