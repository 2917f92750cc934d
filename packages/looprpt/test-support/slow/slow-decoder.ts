/**
 * The decoder in its most obvious form, for tests: one sequence at a time, one token at a time, plain numbers in float64, keys
 * and values in nested arrays. It shares the random numbers with the real one, nothing else. Loops count from 0.
 */
import type { CachePolicy } from 'looprpt/internal/decode/cache-policy.js';
import type { DecodeRequest } from 'looprpt/internal/decode/request.js';
import { GREEDY } from 'looprpt/internal/decode/sampling.js';
import type { ExitRule } from 'looprpt/internal/model/exit-rule.js';
import { exitStep } from './slow-decode.js';
import { entropy } from './slow-exit.js';
import { endOfLoop, headLogits, keyValueAt, layerAt, logSoftmax, type SlowKeyValue } from './slow-loop-lm.js';
import { noiseOf, sampleToken } from './slow-sampling.js';
import type { TinyModel } from './tiny-model.js';

export interface SlowText {
  tokens: number[];
  /** From 1. */
  loops: number[];
  logProbs: number[];
  /** Of tokens 1, 2, … of the prompt. */
  promptLogProbs: number[];
}

/** What one token left behind: [loop][layer], as many loops as it ran. */
type Memory = SlowKeyValue[][];

export function slowText(model: TinyModel, request: DecodeRequest, policy: CachePolicy): SlowText {
  const { config, params } = model;
  const { prompt, maxTokens, sampling = GREEDY, seed = 0, stopIds = [] } = request;
  const exit = request.exit ?? { rule: 'loops', loops: config.loops };
  const ids = Array.from(prompt);
  const past: Memory[] = [];
  const text: SlowText = { tokens: [], loops: [], logProbs: [], promptLogProbs: [] };
  const counts = new Map<number, number>();
  for (let position = 0; position < prompt.length - 1 || text.tokens.length < maxTokens; position++) {
    const isPrompt = position < prompt.length - 1;
    const rule: ExitRule =
      isPrompt && policy.prefill === 'all' ? { rule: 'loops', loops: mostLoops(model, exit) } : exit;
    const { states, memory } = runToken(model, ids[position]!, past, {
      rule,
      position,
      seesLoops: isPrompt || policy.decode !== 'last',
      remembers: policy.decode === 'complete' ? mostLoops(model, exit) : 1,
    });
    past.push(memory);
    const logProbs = logSoftmax(headLogits(config, params, states.at(-1)!));
    if (isPrompt) {
      text.promptLogProbs.push(logProbs[ids[position + 1]!]!);
      continue;
    }
    const logits = Float32Array.from(headLogits(config, params, states.at(-1)!));
    for (const [id, bias] of request.logitBias ?? []) logits[id]! += bias;
    for (const [id, count] of counts) logits[id]! -= sampling.presencePenalty + count * sampling.frequencyPenalty;
    const forced = request.follow?.[text.tokens.length];
    const id = forced ?? sampleToken(logits, sampling, ids, noiseOf(seed, ids.length, config.vocabSize));
    if (stopIds.includes(id)) break;
    ids.push(id);
    counts.set(id, (counts.get(id) ?? 0) + 1);
    text.tokens.push(id);
    text.loops.push(states.length);
    text.logProbs.push(logProbs[id]!);
  }
  return text;
}

function mostLoops({ config }: TinyModel, exit: ExitRule): number {
  if (exit.rule === 'loops') return exit.loops;
  return exit.rule === 'replay' ? Math.max(...exit.loops) : (exit.maxLoops ?? config.loops);
}

interface TokenRun {
  rule: ExitRule;
  position: number;
  /** Sees each earlier token at the loop where it stands itself. */
  seesLoops: boolean;
  /** Loops that it runs at least, for those that come after it. */
  remembers: number;
}

/** @returns the states up to the exit */
function runToken(
  model: TinyModel,
  id: number,
  past: readonly Memory[],
  { rule, position, seesLoops, remembers }: TokenRun,
): { states: number[][]; memory: Memory } {
  const { config, params } = model;
  const E = config.hiddenSize;
  const embedded = Array.from(params['model.embed_tokens.weight']!.data.subarray(id * E, (id + 1) * E));
  const states: number[][] = [];
  const memory: Memory = [];
  let exit: number | null = null;
  while (exit === null || states.length < remembers) {
    const loop = states.length;
    let x = states.at(-1) ?? embedded;
    memory.push([]);
    for (let layer = 0; layer < config.layers; layer++) {
      const own = keyValueAt(config, params, layer, x, position);
      memory[loop]!.push(own);
      const context = past.map(
        (token) => token[seesLoops ? Math.min(loop, token.length - 1) : token.length - 1]![layer]!,
      );
      x = layerAt(config, params, layer, x, position, [...context, own]);
    }
    states.push(endOfLoop(config, params, x));
    if (exit === null && leaves(model, rule, states, embedded, position)) exit = states.length;
  }
  return { states: states.slice(0, exit), memory };
}

function leaves(model: TinyModel, rule: ExitRule, states: number[][], embedded: number[], index: number): boolean {
  const { config, params } = model;
  const loops = states.length;
  if (rule.rule === 'replay') return loops === rule.loops[index % rule.loops.length];
  if (loops === mostLoops(model, rule)) return true;
  const state = states.at(-1)!;
  switch (rule.rule) {
    case 'loops':
      return false;
    case 'gate':
      // One more state, so that this loop is not the one that takes the remainder.
      return exitStep(params, [...states, state], { kind: 'threshold', threshold: rule.threshold }) < loops;
    case 'hidden-change': {
      const before = states.at(-2) ?? embedded;
      return Math.hypot(...state.map((x, e) => x - before[e]!)) / Math.hypot(...state) <= rule.threshold;
    }
    case 'confidence':
      return Math.exp(Math.max(...logSoftmax(headLogits(config, params, state)))) >= rule.threshold;
    case 'entropy':
      return entropy(logSoftmax(headLogits(config, params, state)).map(Math.exp)) <= rule.threshold;
    default:
      return rule satisfies never;
  }
}
