/**
 * Multi-hop lookup. The document writes down a random permutation f over n symbols as pairs, then asks for f applied h
 * times to a symbol, h from 1 to H. One lookup is one attention step; h of them depend on each other, so a model needs
 * either h layers in sequence or h loops of one. Easy queries (h = 1) and hard ones stand in one document, which makes
 * it the plainest task on which adaptive depth can pay.
 *
 *   map a d , b f , c a , d b , e c , f e ask a 3 -> f , b 1 -> f
 *
 * Two documents of different splits never share their permutation.
 */
import { z } from 'zod';
import type { Rng } from '../../base/rng.js';
import { DocumentBuilder } from '../documents/document.js';
import { drawBelonging } from './split.js';
import { maxSymbols, symbolName } from './symbols.js';
import { type Task, taskMeta } from './task.js';

export const hopConfigSchema = z
  .strictObject({
    task: z.literal('hop'),
    symbols: z.int().min(2).max(maxSymbols).default(6).describe('n, the symbols that the permutation is over'),
    alphabet: z
      .int()
      .min(2)
      .max(maxSymbols)
      .optional()
      .describe('how many symbols those n are drawn from; by default n, so that every document uses the same ones'),
    hops: z.int().min(1).max(32).default(4).describe('H, the largest number of hops; each query draws 1 … H'),
    queries: z.int().min(1).max(4096).default(24).describe('queries in a document'),
    cycle: z
      .boolean()
      .default(false)
      .describe('only permutations that are one cycle, so that no query of h < n hops has a short cut'),
    joined: z
      .boolean()
      .default(false)
      .describe('write a pair as one word of two letters, a token of its own: one lookup less to learn'),
    compact: z.boolean().default(false).describe('leave out commas and arrows: three tokens a query instead of five'),
    maskPrompt: z.boolean().default(true).describe('only the answers of the queries count in the loss'),
  })
  .refine((config) => config.alphabet === undefined || config.alphabet >= config.symbols, {
    path: ['alphabet'],
    message: 'must be at least as large as symbols',
  })
  .refine(({ joined, symbols, alphabet = symbols }) => !joined || alphabet <= 26, {
    path: ['joined'],
    message: 'needs symbols of one letter: at most 26',
  });

export type HopConfig = z.output<typeof hopConfigSchema>;

/** f as a map from symbol to symbol, with its canonical form: the pairs in alphabetical order. */
interface Mapping {
  readonly next: ReadonlyMap<string, string>;
  readonly canonical: string;
}

function drawMapping(rng: Rng, config: HopConfig): Mapping {
  const alphabet = Array.from({ length: config.alphabet ?? config.symbols }, (_, index) => symbolName(index));
  const from = rng.shuffled(alphabet).slice(0, config.symbols);
  const to = config.cycle ? [...from.slice(1), from[0]!] : rng.shuffled(from);
  const next = new Map(from.map((symbol, index) => [symbol, to[index]!]));
  const canonical = [...next].map(([symbol, image]) => `${symbol}>${image}`).sort();
  return { next, canonical: `hop ${canonical.join(' ')}` };
}

export const hop: Task<typeof hopConfigSchema> = {
  name: 'hop',
  describe: 'multi-hop lookup in a permutation written down as pairs; depth = number of hops',
  configSchema: hopConfigSchema,

  generate(rng, config, belongs) {
    const { next } = drawBelonging(() => drawMapping(rng, config), belongs, {
      task: 'hop',
      widen: 'raise symbols or alphabet',
    });
    const builder = new DocumentBuilder().words('map');
    const separate = (index: number) => {
      if (index > 0 && !config.compact) builder.words(',');
    };
    const symbols = rng.shuffled([...next.keys()]);
    for (const [index, symbol] of symbols.entries()) {
      separate(index);
      builder.words(`${symbol}${config.joined ? '' : ' '}${next.get(symbol)!}`);
    }
    builder.words('ask');
    const levels: number[] = [];
    for (let index = 0; index < config.queries; index++) {
      const start = rng.pick(symbols);
      const hops = rng.between(1, config.hops);
      let answer = start;
      for (let step = 0; step < hops; step++) answer = next.get(answer)!;
      separate(index);
      builder.words(config.compact ? `${start} ${hops}` : `${start} ${hops} ->`).answer(answer);
      levels.push(hops);
    }
    return builder.build(taskMeta('hop', levels), config.maskPrompt);
  },
};
