/** Everything that reads foreign bytes, by name. A target is loaded when it is made, in the process that runs its cases. */
import type { TargetMaker } from '../target.js';

export const targets = {
  safetensors: async () => (await import('./safetensors.js')).safetensors(),
  config: async () => (await import('./model-folder.js')).config(),
  'shard-index': async () => (await import('./model-folder.js')).shardIndex(),
  tokenizer: async () => (await import('./tokenizer.js')).tokenizerFile(),
  'tokenizer-config': async () => (await import('./tokenizer.js')).tokenizerConfig(),
  shards: async () => (await import('./shards.js')).shards(),
  jsonl: async () => (await import('./documents.js')).jsonl(),
  json: async () => (await import('./documents.js')).json(),
  parquet: async () => (await import('./documents.js')).parquet(),
  http: async () => (await import('./http.js')).http(),
  recipe: async () => (await import('./recipe.js')).recipe(),
  checkpoint: async () => (await import('./checkpoint.js')).checkpoint(),
  'run-folder': async () => (await import('./run-folder.js')).runFolder(),
} as const satisfies Record<string, TargetMaker>;

export type TargetName = keyof typeof targets;

export const targetNames = Object.keys(targets) as TargetName[];

export function isTargetName(name: string): name is TargetName {
  return Object.hasOwn(targets, name);
}
