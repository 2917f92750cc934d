/** The data of `eval --data`, from its options. */
import { assigned } from '../base/settings/assign.js';
import { UserError } from '../base/user-error.js';
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
  if (data.startsWith(TASK)) return { task: data.slice(TASK.length), set: assigned(set), seed, count };
  if (set.length > 0) throw new UserError(`--set ${set[0]}: sets a generated task, and --data ${data} is none`);
  return isShardFolder(data) ? data : documentSource({ ...options, input: [data] });
}
