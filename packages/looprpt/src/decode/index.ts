/** The depth-adaptive batched engine. */
export { type CachePolicy, cachePolicyConfig } from './cache-policy.js';
export { type EngineConfig, EngineCore, engineConfig } from './core.js';
export { Engine, type Submission } from './engine.js';
export { type ExitRule, exitRuleConfig } from './exit-rule.js';
export type { EngineRequest, FinishReason, LogProb, ReadToken, TokenEvent } from './request.js';
