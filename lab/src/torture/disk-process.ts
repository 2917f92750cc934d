/** The process of the disk trials: told what to do by its argument, says what came of it on standard output. */
import { fullDisk, readOnly } from './disk-trials.js';
import type { DiskTask } from './namespace.js';

const { full, readOnly: locked, reference, mounts } = JSON.parse(process.argv[2]!) as DiskTask;
const trials = [await fullDisk(full, reference, mounts), await readOnly(locked, reference, mounts)];
process.stdout.write(JSON.stringify(trials));
