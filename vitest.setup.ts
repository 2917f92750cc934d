/**
 * Property tests draw the same cases in every run, so that a failure is the change's and not the day's. To search further,
 * `FAST_CHECK_SEED=$RANDOM npm test`; a failure prints the seed that repeats it.
 */
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env.FAST_CHECK_SEED ?? 1) });
