/**
 * A model opened for serving: its decoder with a cache of the right size, its tokenizer and chat template, the tokens that end
 * its texts, and the exit rule of requests that name none.
 */
import { UserError } from '../../base/user-error.js';
import { documentAt } from '../../data/tasks/index.js';
import { readTrainedOn } from '../../data/tasks/trained-on.js';
import { type DecodeRequest, Decoder } from '../../decode/index.js';
import { parameterCount } from '../../model/config.js';
import { type ExitRule, type ExitWish, exitRuleOf, lastLoop } from '../../model/exit-rule.js';
import type { LoopLM } from '../../model/loop-lm.js';
import { Tokenizer } from '../../text/tokenizer.js';
import type { ServedModelConfig } from '../settings.js';
import { PAGE, type Sizing } from '../sizing.js';
import { ChatRenderer } from './chat-renderer.js';
import type { LoopWish, ServedModel } from './protocol.js';
import { TextReader } from './text-reader.js';

export interface Served extends Disposable {
  decoder: Decoder;
  model: LoopLM;
  tokenizer: Tokenizer;
  reader: TextReader;
  renderer: ChatRenderer;
  /** Of the tokenizer and the chat template. */
  folder: string;
  /** Ids that end a text, and a turn of a chat. */
  stopIds: { text: number[]; chat: number[] };
  defaults: ExitWish;
  /** Requests that name no exit rule have drafts. */
  speculates: boolean;
  description: ServedModel;
}

/**
 * @param model stays the caller's @param folder of the tokenizer @param sizing of the cache
 * @throws UserError when these settings cannot be served
 */
export async function serveModel(
  model: LoopLM,
  folder: string,
  config: ServedModelConfig,
  { maxLength, cacheTokens, pages, isTight }: Sizing,
): Promise<Served> {
  const { exitThreshold, maxLoops, maxBatch, cache, prefixReuse, reproducible, speculate } = config;
  if (speculate && exitThreshold !== undefined)
    throw new UserError('--speculate gives the text of all loops: leave out --exit-threshold, or it');
  if (speculate && cache.decode === 'last')
    throw new UserError("--speculate needs every loop's keys and values: leave out --cache last, or it");
  const defaults: ExitWish = { threshold: exitThreshold, maxLoops };
  const rule = exitRuleOf(model.config, defaults);
  const tokenizer = await Tokenizer.load(folder);
  const renderer = await ChatRenderer.load(folder);
  const reader = new TextReader(tokenizer, maxLength);
  const decoder = new Decoder(model, {
    maxSequences: maxBatch,
    maxLength,
    pageSize: PAGE,
    cache,
    prefixReuse,
    reproducible,
    pages,
  });
  const parameters = parameterCount(model.config);
  return {
    decoder,
    model,
    tokenizer,
    reader,
    renderer,
    folder,
    defaults,
    speculates: speculate,
    stopIds: {
      text: tokenizer.stopIds({ chat: false, ...model.config }),
      chat: tokenizer.stopIds({ chat: true, ...model.config }),
    },
    description: {
      name: config.model,
      parameters,
      dtype: model.weightFormat,
      device: model.device,
      loops: model.config.loops,
      vocabSize: model.config.vocabSize,
      maxLength,
      maxBatch,
      cacheTokens,
      cacheBytes: decoder.core.cacheBytes,
      cacheIsTight: isTight,
      hasChat: renderer.state.source !== null,
      example: exampleOf(folder),
      tokenizer: { vocabSize: tokenizer.vocabSize, names: tokenizer.names, chatTemplate: renderer.state.source },
      exitThreshold: rule.rule === 'gate' && !speculate ? rule.threshold : null,
      speculates: speculate,
      maxLoops: lastLoop(rule, model.config),
    },
    [Symbol.dispose]: () => {
      decoder[Symbol.dispose]();
      renderer[Symbol.dispose]();
    },
  };
}

/** The beginning of a held-out document, up to its last answer. */
function exampleOf(folder: string): string | null {
  const task = readTrainedOn(folder);
  if (task === null) return null;
  const { text, loss } = documentAt(task, 0, 'heldout', 0);
  return text.slice(0, loss?.at(-1)?.[0] ?? text.length / 2).trimEnd();
}

/** How deep a request goes: by its exit rule, or all loops with drafts. @throws UserError for what the model cannot follow */
export function requestDepth(
  { model, defaults, speculates }: Pick<Served, 'model' | 'defaults' | 'speculates'>,
  { speculate, ...wish }: LoopWish,
): Pick<DecodeRequest, 'exit' | 'speculate'> {
  const isDefault = speculates && wish.threshold === undefined && (wish.rule ?? 'loops') === 'loops';
  const drafts = speculate ?? isDefault;
  if (drafts === false) return { exit: requestRule({ model, defaults }, wish) };
  return { exit: requestRule({ model, defaults }, { rule: 'loops', maxLoops: wish.maxLoops }), speculate: drafts };
}

/** The rule of a request. @throws UserError for one that the model cannot follow */
export function requestRule({ model, defaults }: Pick<Served, 'model' | 'defaults'>, wish: ExitWish): ExitRule {
  const { rule = 'gate', threshold = rule === 'gate' ? defaults.threshold : undefined } = wish;
  if (threshold === undefined && rule !== 'gate' && rule !== 'loops')
    throw new UserError(`loop: the exit rule "${rule}" needs an exit_threshold`);
  return exitRuleOf(model.config, { rule, threshold, maxLoops: wish.maxLoops ?? defaults.maxLoops });
}
