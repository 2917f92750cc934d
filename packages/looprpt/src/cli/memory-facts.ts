/** What a model's weights will take, for people: the first rows of every `--dry-run` that only reads a model. */
import { formatBytes } from '../base/terminal/bytes.js';
import { parameterCount } from '../model/config.js';
import type { PlannedModel } from '../train/state/planned-model.js';
import { isCopied, PROGRAM_BYTES } from '../train/state/room.js';

export type Fact = [name: string, value: string];

export function weightsFacts({ name, weights }: PlannedModel): Fact[] {
  const { config, format, byDType, mapped, own } = weights;
  const { layers, loops, hiddenSize, vocabSize } = config;
  const parts = Object.entries(byDType).map(([dtype, bytes]) => `${dtype} ${formatBytes(bytes)}`);
  return [
    ['model', `${name}: ${layers} layers × ${loops} loops, hidden ${hiddenSize}, vocabulary ${vocabSize}`],
    ['weights', `${parameterCount(config).toLocaleString('en-US')} as ${format}: ${parts.join(', ')}`],
    ['', `${formatBytes(mapped)} are in the mapped file, ${formatBytes(own)} are memory of their own`],
  ];
}

/** The same as an object. */
export function weightsJson({ name, folder, device, weights }: PlannedModel): object {
  const { config, ...bytes } = weights;
  return { name, folder, device, parameters: parameterCount(config), loops: config.loops, ...bytes };
}

/** What was free, and whether mapped weights are copied, or stay in memory at all. @param own bytes beside the mapped weights */
export function freeFacts(planned: PlannedModel, own: number, free: number): Fact[] {
  if (!Number.isFinite(free)) return [];
  const isTight = own + planned.weights.mapped > free;
  const tight = '; not all mapped weights stay in memory, so they are read again and again';
  const copied = '; mapped weights are copied to large pages, which are read faster (LOOPRPT_LARGE_PAGES=0: not)';
  return [['free', `${formatBytes(free)}${isTight ? tight : willCopy(planned, own, free) ? copied : ''}`]];
}

/** @param own bytes beside the mapped weights */
export function willCopy(planned: PlannedModel, own: number, free: number): boolean {
  return isCopied(planned, own - planned.weights.own - PROGRAM_BYTES, free);
}
