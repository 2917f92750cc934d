/**
 * Whether all ranks are about to do the same run: compared once, before anything is computed. Ranks that differ would go on for hours
 * and end well, with the mean of two runs' gradients.
 *
 * Compared: the version of this software, the resolved configuration but for what belongs to a machine, and the data. Not the weights:
 * rank 0 gives them out.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../base/user-error.js';
import { looprptVersion } from '../../base/versions.js';
import { MANIFEST } from '../../data/shards/manifest.js';
import type { Peers } from '../../objectives/peers.js';
import { differingPaths, flatConfig, shownValue } from '../flat-config.js';
import type { RunConfig } from '../run-config.js';

/** Keys that may differ: what each machine has, and paths, which are compared by what lies there. */
const OWN = new Set(['device', 'threads', 'data.shards', 'model.from', 'model.tokenizer']);

/** One text by key; what must be equal on all ranks. */
type Identity = Readonly<Record<string, string>>;

/** @param tokenizer its hash @throws UserError naming the rank and the key */
export function assertSameRun(config: RunConfig, tokenizer: string, peers: Peers): void {
  if (peers.size === 1) return;
  const [first, ...others] = peers.exchange(identityOf(config, tokenizer));
  others.forEach((other, i) => {
    const [key] = differingPaths(first!, other);
    if (key === undefined) return;
    const shown = (identity: Identity): string => shownValue(identity[key]);
    throw new UserError(
      `rank ${i + 1} is not started like rank 0: ${key} is ${shown(other)} there and ${shown(first!)} on rank 0; start all ranks with the same recipe, data and version`,
    );
  });
}

function identityOf(config: RunConfig, tokenizer: string): Identity {
  const settings = Object.entries(flatConfig(config)).filter(([key]) => !OWN.has(key));
  return {
    ...Object.fromEntries(settings),
    'the version of looprpt': looprptVersion(),
    'the tokenizer': tokenizer,
    ...('shards' in config.data ? { 'the data': manifestHash(config.data.shards) } : {}),
  };
}

/** The manifest names a checksum for every file of the shards. */
function manifestHash(folder: string): string {
  const path = join(folder, MANIFEST);
  return existsSync(path) ? createHash('sha256').update(readFileSync(path)).digest('hex') : 'missing';
}
