/** What `generate` will take, said before a weight is read: it refuses what cannot fit, and prints it with `--dry-run`. */
import { freeMemory } from '../base/free-memory.js';
import { formatBytes } from '../base/terminal/bytes.js';
import { type Cli, printFacts, printJson } from '../base/terminal/cli.js';
import { type DecoderMemory, planDecoder } from '../decode/decoder-memory.js';
import { type GenerateTextOptions, generationConfig } from '../decode/generate.js';
import { heldWeights, type PlannedModel } from '../train/state/planned-model.js';
import { assertRoom, type Need, ownBytes, PROGRAM_BYTES } from '../train/state/room.js';
import { type Fact, freeFacts, weightsFacts, weightsJson, willCopy } from './memory-facts.js';

export interface GenerationSize {
  /** Tokens of the prompt. */
  prompt: number;
  maxTokens: number;
  cache: NonNullable<GenerateTextOptions['cache']>;
}

interface GenerationNeed extends Need {
  parts: { cache: number; copy: number; passes: number };
  decoder: DecoderMemory;
}

/** @throws UserError where it does not fit */
export function needOfGeneration(planned: PlannedModel, size: GenerationSize): GenerationNeed {
  const config = generationConfig(size);
  const decoder = planDecoder(heldWeights(planned), config);
  const { loops } = planned.weights.config;
  // While the prompt is read its tokens have all loops, whatever is kept of them.
  const cache = decoder.token * config.maxLength + (loops * decoder.slot - decoder.token) * size.prompt;
  const need = {
    parts: { cache, copy: decoder.copy, passes: decoder.pass },
    less: [`fewer max tokens than ${size.maxTokens}`],
    decoder,
  };
  assertRoom(planned, need);
  return need;
}

export function printGenerationPlan(
  cli: Cli,
  planned: PlannedModel,
  size: GenerationSize,
  { json }: { json: boolean },
): void {
  const { parts, decoder } = needOfGeneration(planned, size);
  const free = freeMemory();
  const own = ownBytes(planned, { parts });
  const { mapped, own: weights } = planned.weights;
  if (json) {
    const memory = { weights, mapped, ...parts, token: decoder.token, program: PROGRAM_BYTES, own };
    const model = { ...weightsJson(planned), largePages: willCopy(planned, own, free) };
    printJson(cli, { model, promptTokens: size.prompt, maxTokens: size.maxTokens, memory, free });
    return;
  }
  const { cache, copy, passes } = parts;
  const copied: Fact[] = copy > 0 ? [['copy', `${formatBytes(copy)}: the weights in the order of row products`]] : [];
  printFacts(cli, [
    ...weightsFacts(planned),
    ...copied,
    [
      'cache',
      `${formatBytes(cache)} for ${size.prompt} + ${size.maxTokens} tokens, ${formatBytes(decoder.token)} each`,
    ],
    ['passes', `${formatBytes(passes)} at most; ${formatBytes(PROGRAM_BYTES)} for the program`],
    ['needs', `${formatBytes(own)} of memory and ${formatBytes(mapped)} of mapped weights`],
    ...freeFacts(planned, own, free),
  ]);
}
