/**
 * When a token stops looping: the rules, what each looks at, and its decision loop by loop from numbers.
 *
 * A rule of a signal stops at the first loop whose signal has reached a threshold: inclusive and in float32, as upstream compares
 * its cdf; NaN never has. Every rule has a last loop, after which the token leaves whatever the signal says. exit-signal.ts makes
 * the same decisions from the states of all loops. Loops count from 1. Nothing here loads libtorch: a server's thread reads it.
 */
import { z } from 'zod';
import { UserError } from '../base/user-error.js';
import type { LoopLMConfig } from './config.js';

/** The rules that look at a number after every loop. */
export const SIGNAL_RULES = {
  gate: {
    stops: 'above',
    readsDistribution: false,
    means: "the first loop at which the exit gate's cdf reaches the threshold",
  },
  'hidden-change': {
    stops: 'below',
    readsDistribution: false,
    means: 'the first loop that changes the state by at most this share of its 2-norm; no training needed',
  },
  confidence: {
    stops: 'above',
    readsDistribution: true,
    means: 'the first loop whose likeliest next token has this probability; reads the LM head after every loop',
  },
  entropy: {
    stops: 'below',
    readsDistribution: true,
    means: 'the first loop whose next-token entropy is at most this many nats; reads the LM head after every loop',
  },
} as const;

export type SignalRule = keyof typeof SIGNAL_RULES;

const maxLoops = z.int().min(1).optional().describe("most loops; all of the model's where it is missing");

const signalRule = <Rule extends SignalRule>(rule: Rule, threshold: z.ZodNumber) =>
  z.strictObject({ rule: z.literal(rule), threshold, maxLoops }).describe(SIGNAL_RULES[rule].means);

/** When a token stops looping, checked: one rule with its threshold; loops count from 1. */
export const exitRuleConfig = z.discriminatedUnion('rule', [
  signalRule('gate', z.number()),
  signalRule('hidden-change', z.number().min(0)),
  signalRule('confidence', z.number().min(0).max(1)),
  signalRule('entropy', z.number().min(0)),
  z.strictObject({ rule: z.literal('loops'), loops: z.int().min(1) }).describe('always so many loops'),
  z
    .strictObject({ rule: z.literal('replay'), loops: z.array(z.int().min(1)).min(1) })
    .describe('token n takes entry n of this list, which starts again at its end; for measurements'),
]);

/** When a token stops looping: by the gate, by how much the state changes, by the next token's probability, or always after so many loops. */
export type ExitRule = z.output<typeof exitRuleConfig>;

/** Rules that a user may name by themselves. */
export const EXIT_RULES = ['gate', 'hidden-change', 'confidence', 'entropy', 'loops'] as const;

/** What a call asks for; the model's configuration has the rest. */
export interface ExitWish {
  /** Default gate. */
  rule?: (typeof EXIT_RULES)[number] | undefined;
  /** Of the rule's signal; for the gate, default the model's. */
  threshold?: number | undefined;
  /** Most loops; with the rule `loops`, its loops. */
  maxLoops?: number | undefined;
}

type Defaults = Pick<LoopLMConfig, 'loops' | 'exitLoop' | 'exitThreshold'>;

/**
 * The rule of a call. A threshold that is asked for hides the configuration's fixed loop; a number of loops that is asked for
 * alone, or a fixed loop, hides the configuration's threshold.
 * @throws UserError for one that the model cannot follow
 */
export function exitRuleOf(config: Defaults, { rule = 'gate', threshold, maxLoops }: ExitWish = {}): ExitRule {
  if (maxLoops !== undefined && !(Number.isInteger(maxLoops) && maxLoops >= 1 && maxLoops <= config.loops))
    throw new UserError(`max loops: ${maxLoops} is not a whole number from 1 to ${config.loops}, the model's loops`);
  if (threshold !== undefined && Number.isNaN(threshold))
    throw new UserError('exit threshold: not a number; give one from 0 to 1');
  if (rule === 'loops') return { rule, loops: maxLoops ?? config.loops };
  if (rule === 'gate' && threshold === undefined) {
    const loops = maxLoops ?? config.exitLoop;
    if (loops === null && config.exitThreshold !== null) return { rule, threshold: config.exitThreshold };
    return { rule: 'loops', loops: loops ?? config.loops };
  }
  if (threshold === undefined) throw new UserError(`exit rule "${rule}": needs an exit threshold`);
  return checkedRule({ rule, threshold, ...(maxLoops === undefined ? {} : { maxLoops }) });
}

/** A rule, or the short way to write one: `{ gate: 0.7 }`, `{ confidence: 0.9, maxLoops: 3 }`, `{ loops: 2 }`. */
export type ExitOption =
  | ExitRule
  | { [Rule in SignalRule]: { [Name in Rule]: number } & { maxLoops?: number } }[SignalRule]
  | { loops: number };

/** @throws UserError for what is no rule */
export function exitRule(option: ExitOption): ExitRule {
  if ('rule' in option) return checkedRule(option);
  const { maxLoops, ...named } = option as Record<string, number>;
  const [[rule, value] = [], ...others] = Object.entries(named);
  if (rule === undefined || others.length > 0)
    throw new UserError('exit: name one rule with its threshold, such as { gate: 0.7 }');
  return checkedRule({
    rule,
    ...(rule === 'loops' ? { loops: value } : { threshold: value }),
    ...(maxLoops === undefined ? {} : { maxLoops }),
  });
}

function checkedRule(rule: unknown): ExitRule {
  const parsed = exitRuleConfig.safeParse(rule);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new UserError(`exit ${path.join('.') || 'rule'}: ${message}`);
}

/** Most loops that a token runs. @throws UserError where the model has fewer */
export function lastLoop(rule: ExitRule, { loops }: Pick<LoopLMConfig, 'loops'>): number {
  const asked =
    rule.rule === 'loops' ? rule.loops : rule.rule === 'replay' ? Math.max(...rule.loops) : (rule.maxLoops ?? loops);
  if (asked > loops) throw new UserError(`exit rule: ${asked} loops are asked for, the model has ${loops}`);
  return asked;
}

/** The signal that a rule looks at; null for one that knows its loops beforehand. */
export function signalOf({ rule }: ExitRule): SignalRule | null {
  return rule === 'loops' || rule === 'replay' ? null : rule;
}

/** Whether a signal stops a token. */
export function hasReached(rule: SignalRule, signal: number, threshold: number): boolean {
  const limit = Math.fround(threshold);
  return SIGNAL_RULES[rule].stops === 'above' ? signal >= limit : signal <= limit;
}

/** One token's way through the loops. */
export class ExitDecision {
  readonly #rule: ExitRule;
  readonly #last: number;
  #survival = 1;
  #mass = 0;

  /** @param index number of the token in its sequence, prompt included @param last what `lastLoop` says */
  constructor(rule: ExitRule, last: number, index: number) {
    this.#rule = rule;
    this.#last = rule.rule === 'replay' ? rule.loops[index % rule.loops.length]! : last;
  }

  /**
   * Whether the token leaves after this loop; to be asked once a loop, in order.
   * @param number the signal of the rule; for the gate its logit, from which the cdf is made here
   */
  leaves(loop: number, number: number): boolean {
    if (loop >= this.#last) return true;
    const rule = this.#rule;
    if (rule.rule === 'loops' || rule.rule === 'replay') return false;
    const signal = rule.rule === 'gate' ? this.#cdfAfter(number) : Math.fround(number);
    return hasReached(rule.rule, signal, rule.threshold);
  }

  /** The recursion of `exitPdf` and `exitCdf` in exit.ts with float32's rounding, one loop further. */
  #cdfAfter(gateLogit: number): number {
    const leave = Math.fround(1 / Math.fround(1 + Math.fround(Math.exp(-gateLogit))));
    this.#mass += Math.fround(leave * this.#survival);
    this.#survival = Math.fround(this.#survival * Math.fround(1 - leave));
    return Math.fround(this.#mass);
  }
}
