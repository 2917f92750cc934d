/** What a model's weights will take, for people: the first rows of every `--dry-run` that only reads a model. */
import { formatBytes } from '../base/terminal/bytes.js';
import { parameterCount } from '../model/config.js';
import type { PlannedModel } from '../train/state/planned-model.js';

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

/** What was free, and whether mapped weights stay in memory beside the rest. */
export function freeFacts(free: number, own: number, mapped: number): Fact[] {
  if (!Number.isFinite(free)) return [];
  const tight = own + mapped > free ? '; not all mapped weights stay in memory, so they are read again and again' : '';
  return [['free', `${formatBytes(free)}${tight}`]];
}
