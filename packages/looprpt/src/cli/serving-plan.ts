/** `serve --dry-run`: what a server will hold, how much of it fits, and nothing is loaded. */
import { freeMemory } from '../base/free-memory.js';
import { formatBytes } from '../base/terminal/bytes.js';
import { type Cli, printFacts, printJson } from '../base/terminal/cli.js';
import { type ServeSettings, servedModelConfig } from '../serve/settings.js';
import { type Sizing, sizeServer } from '../serve/sizing.js';
import { type PlannedModel, planModel } from '../train/state/planned-model.js';
import { type Fact, freeFacts, weightsFacts, weightsJson, willCopy } from './memory-facts.js';

/** @throws UserError where the model cannot be found, or does not fit */
export async function printServingPlan(
  cli: Cli,
  settings: ServeSettings,
  { json, say }: { json: boolean; say: (line: string) => void },
): Promise<void> {
  const config = servedModelConfig.strip().parse(settings);
  const planned = await planModel(config.model, { ...config, readOnly: true, onMessage: say });
  const sizing = sizeServer(planned, config, freeMemory());
  const { maxLength, cacheTokens, memory, free } = sizing;
  if (json) {
    const texts = Math.floor(cacheTokens / maxLength);
    const freeBytes = Number.isFinite(free) ? free : null;
    const largePages = willCopy(planned, ownOf(sizing), free);
    const model = { ...weightsJson(planned), largePages };
    printJson(cli, { model, memory, free: freeBytes, maxLength, cacheTokens, texts });
    return;
  }
  printFacts(cli, [...weightsFacts(planned), ...cacheFacts(planned, sizing, config.maxBatch)]);
}

const ownOf = ({ memory: { weights, copy, cache, pass, program } }: Sizing): number =>
  weights + copy + cache + pass + program;

function cacheFacts(planned: PlannedModel, sizing: Sizing, maxBatch: number): Fact[] {
  const { maxLength, cacheTokens, memory, free, isTight } = sizing;
  const { mapped, copy, token, cache, pass, program } = memory;
  const own = ownOf(sizing);
  const texts = Math.min(maxBatch, Math.floor(cacheTokens / maxLength));
  const copied: Fact[] =
    copy > 0
      ? [['copy', `${formatBytes(copy)}: the weights once more, for reproducible texts; --no-reproducible is without`]]
      : [];
  return [
    ...copied,
    ['cache', `${formatBytes(token)} a token, ${formatBytes(token * maxLength)} a text of ${maxLength} tokens`],
    ['passes', `${formatBytes(pass)} at most; ${formatBytes(program)} for the program`],
    ['needs', `${formatBytes(own)} of memory and ${formatBytes(mapped)} of mapped weights`],
    ...freeFacts(planned, own, free),
    [
      'fits',
      `${cacheTokens} tokens in ${formatBytes(cache)}${isTight ? ', as memory allows' : ''}: ${textsInWords(texts, maxLength, maxBatch)}`,
    ],
  ];
}

/** `16 texts of 2048 tokens, up to 32 shorter ones at once`. */
export function textsInWords(texts: number, maxLength: number, maxBatch: number): string {
  const shorter = maxBatch > texts ? `, up to ${maxBatch} shorter ones at once` : ' at once';
  return `${texts} ${texts === 1 ? 'text' : 'texts'} of ${maxLength} tokens${shorter}`;
}
