/** The data of `eval --data`, from its options. */
import { assigned } from '../base/settings/assign.js';
import { taskConfig } from '../data/tasks/index.js';
import { type HeldOut, isShardFolder } from '../eval/data.js';
import { type DocumentOptions, documentSource } from './document-options.js';

const TASK = 'task:';

export interface DataOptions extends DocumentOptions {
  data: string;
  count: number;
  set?: string[];
  seed?: number;
}

export function heldOutOf({ data, count, set = [], seed, ...options }: DataOptions): HeldOut {
  if (data.startsWith(TASK)) {
    const config = taskConfig(data.slice(TASK.length), assigned(set));
    return { kind: 'task', config, seed, split: 'heldout', count };
  }
  return isShardFolder(data) ? data : documentSource({ ...options, input: [data] });
}
