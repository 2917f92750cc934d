/**
 * Word problems in plain English, in the spirit of GSM8K: people, things, and quantities that follow from each other
 * in several steps, with sentences that the answer does not need. A model must find the chain in the text, in whatever
 * order it is told, and calculate along it. Most tokens are easy language; the hard ones are the numbers of the
 * solution, and each of them needs the right sentences to be found first. Difficulty is the number of calculations.
 *
 * The document is "Problem: …\nSolution: …", the solution one sentence a line and then "#### answer", so that it can be
 * mixed with GSM8K. Two problems that come to the same calculation are in the same split, whatever they are about.
 */
import { z } from 'zod';
import { problemDocument } from '../documents/problem.js';
import { drawBelonging } from './split.js';
import { drawStory } from './stories-draw.js';
import { Teller } from './stories-teller.js';
import { names, worlds } from './stories-worlds.js';
import { type Task, taskMeta } from './task.js';

export const storiesConfigSchema = z
  .strictObject({
    task: z.literal('stories'),
    minSteps: z.int().min(1).max(16).default(1).describe('fewest calculations to the answer'),
    maxSteps: z.int().min(1).max(16).default(5).describe('most calculations to the answer'),
    distractors: z
      .int()
      .min(0)
      .max(16)
      .default(2)
      .describe('at most this many quantities that the answer does not need'),
    people: z.int().min(3).max(names.length).default(5).describe('people in a story'),
    items: z.int().min(1).max(4).default(3).describe('kinds of things in a story'),
    maxGiven: z.int().min(4).max(1000).default(30).describe('largest number in the text'),
    maxQuantity: z.int().min(16).max(100_000).default(400).describe('largest quantity that anybody may have'),
    order: z
      .enum(['told', 'shuffled', 'mixed'])
      .default('mixed')
      .describe('sentences in the order of the calculation, in any order, or half of the stories each'),
    maskPrompt: z.boolean().default(true).describe('only the solution counts in the loss'),
  })
  .refine((config) => config.minSteps <= config.maxSteps, { path: ['minSteps'], message: 'must not exceed maxSteps' })
  .refine((config) => config.maxQuantity >= 2 * config.maxGiven, {
    path: ['maxQuantity'],
    message: 'must be at least twice maxGiven',
  });

export type StoriesConfig = z.output<typeof storiesConfigSchema>;

export const stories: Task<typeof storiesConfigSchema> = {
  name: 'stories',
  describe: 'word problems in English with several steps, distractors and worked solutions',
  configSchema: storiesConfigSchema,

  generate(rng, config, belongs) {
    const steps = rng.between(config.minSteps, config.maxSteps);
    const story = drawBelonging(() => drawStory(rng, steps, config), belongs, {
      task: 'stories',
      widen: 'raise minSteps or maxGiven',
    });
    const teller = new Teller(rng, rng.pick(worlds), rng.shuffled(names).slice(0, config.people));
    const shuffled = config.order === 'shuffled' || (config.order === 'mixed' && rng.chance(0.5));
    const problem = teller.problem(story, shuffled);
    return problemDocument({ problem, solution: teller.solution(story) }, config.maskPrompt, {
      ...taskMeta('stories', [steps]),
      problem,
      answer: String(story.answer.value),
    });
  },
};
