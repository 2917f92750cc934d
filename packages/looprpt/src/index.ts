/**
 * LoopRPT for looped language models: load, train, judge, decode.
 *
 * Tensors are those of `@looprpt/engine`, and so is native memory: what opens a model or a decoder owns it, and `using` frees it.
 * A mistake in what was given is a `UserError`; anything else that is thrown is a fault of ours.
 *
 * After `npm install looprpt` run `npx looprpt setup` once: it finds or installs libtorch and compiles the engine's addon.
 * Without it, importing this module throws a `UserError` that says so.
 */
import './base/engine-needed.js';

export type { ModelDType } from './base/dtypes.js';
export { UserError } from './base/user-error.js';
export type { CharRange, Document, Documents } from './data/documents/document.js';
export { type DocumentSourceConfig, type OpenSource, openDocuments } from './data/documents/source.js';
export { type PrepareOptions, prepareShards } from './data/shards/prepare.js';
export type { TaskConfig } from './data/tasks/index.js';
export { type TaskDocuments, tasks } from './data/tasks/tasks.js';
export {
  type CachePolicy,
  type DecodeRequest,
  Decoder,
  type FinishReason,
  type GeneratedToken,
  type GenerateOptions,
  type Generation,
  type ReadToken,
  type SamplingOptions,
  type Submission,
  samplingConfig,
  type TextModel,
  type TokenEvent,
} from './decode/index.js';
export type { HeldOut } from './eval/data.js';
export { type Judgement, type JudgeOptions, judge } from './eval/judge.js';
export { type JudgeTasksOptions, judgeTasks } from './eval/judge-tasks.js';
export { type Lens, type LensOptions, lens } from './eval/lens.js';
export { type ReportOptions, report } from './eval/report/runs.js';
export type { ComparisonResult, EvalResult } from './eval/result.js';
export type { TasksResult } from './eval/tasks/task-result.js';
export type { LoopLMConfig } from './model/config.js';
export { exitEntropy, exitLogPdf, exitPdf } from './model/exit.js';
export { type ExitOption, type ExitRule, exitRuleConfig } from './model/exit-rule.js';
export type { LoopLM, StatesOptions, TokenBatch } from './model/loop-lm.js';
export { gateLogitsByLoop, nextTokenEntropy, targetLogProbsByLoop } from './model/read-out.js';
export type { TrainingBatch } from './objectives/batch.js';
export type { ObjectiveInputs } from './objectives/contract.js';
export type { CustomLoss, CustomObjective, LossFunction } from './objectives/custom.js';
export { RunningServer, type ServeHooks, serve } from './serve/serve.js';
export { type ServeSettings, serveSettings } from './serve/settings.js';
export type { ServedModel } from './serve/worker/protocol.js';
export { ChatTemplate } from './text/chat-template.js';
export { Tokenizer } from './text/tokenizer.js';
export { type TrainedTokenizer, type TrainTokenizerOptions, trainTokenizer } from './text/train-tokenizer.js';
export type { MetricsRecord } from './train/metrics/record.js';
export { type PresetName, type PresetSettings, presets } from './train/presets.js';
export type { RunConfig, RunConfigInput } from './train/run-config.js';
export { type Schemas, schemas } from './train/schemas.js';
export { Model, type OpenOptions, openModel as loadModel } from './train/state/open-model.js';
export {
  type LogEntry,
  type Logger,
  type TrainConfig,
  type TrainedRun,
  type TrainOptions,
  train,
} from './train/train.js';
