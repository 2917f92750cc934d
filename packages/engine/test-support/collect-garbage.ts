/**
 * Runs the garbage collector until what it finds dead is finalized. A test that counts live tensors calls it first:
 * else what an earlier test of the file left behind may be freed in the middle of the count. Knows nothing of tensors.
 */
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

export async function collectGarbage(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    collect();
    await setImmediate();
  }
}
