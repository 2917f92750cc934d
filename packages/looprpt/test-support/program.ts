/** The program as a user starts it, from the sources of tests and from what is compiled of them alike. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

export const PACKAGE = dirname(createRequire(import.meta.url).resolve('looprpt/package.json'));

/** bin/looprpt.js, for `node`. */
export const PROGRAM = join(PACKAGE, 'bin', 'looprpt.js');
