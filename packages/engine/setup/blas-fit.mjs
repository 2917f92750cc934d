/**
 * Chooses the core of OpenBLAS that fits the processor. The library is asked, in processes of its own, for its core and for
 * products, which are checked and timed. Another core is taken only where its products are right and much faster, or where the
 * library's own choice is wrong. Pure: `ask` runs the process.
 */
import { coresFor, widerThan } from './blas-cores.mjs';

/** Another core must be worth a line to the user. */
const WORTH_IT = 1.25;

/** Of cores so near each other the widest is taken, so that noise does not decide between two numerics. */
const AS_GOOD = 0.8;

/** What the user can choose a core with. */
export const VARIABLE = 'OPENBLAS_CORETYPE';

/**
 * @typedef {object} Answer
 * @property {string | null} core the library's own word; null where it is not an OpenBLAS that chooses
 * @property {'right' | 'wrong' | 'crashed' | 'unknown'} products `unknown`: the process could not be run, or took too long
 * @property {number} gflops in float32; 0 where the products are not right
 */

/** @typedef {import('./index.mjs').BlasFit} BlasFit */

/**
 * @param {object} what
 * @param {(setting: string | null) => Promise<Answer>} what.ask null: as the environment has it
 * @param {string | undefined} what.own the user's OPENBLAS_CORETYPE
 * @param {string[]} what.flags of the processor
 * @returns {Promise<BlasFit>}
 */
export async function fitBlas({ ask, own, flags }) {
  const first = await ask(null);
  const untouched = { core: first.core, setting: null, gflops: first.gflops, before: null };
  const right = first.products === 'right';
  if (first.products === 'unknown' || (first.core === null && right)) return { ...untouched, verdict: 'untouched' };
  if (own !== undefined) return { ...untouched, verdict: right ? 'yours' : 'wrong' };

  const others = right && first.core !== null ? widerThan(first.core, flags) : coresFor(flags);
  /** @type {{ core: string, gflops: number }[]} */
  const good = [];
  for (const core of others) {
    const answer = await ask(core);
    // a name that the library does not know leaves it with its own choice
    const taken = answer.core?.toLowerCase() === core.toLowerCase();
    if (taken && answer.products === 'right') good.push({ core, gflops: answer.gflops });
  }
  const fastest = Math.max(...good.map(({ gflops }) => gflops));
  const best = good.find(({ gflops }) => gflops >= AS_GOOD * fastest);
  if (best !== undefined && (!right || best.gflops >= WORTH_IT * first.gflops)) {
    const before = { core: first.core, gflops: first.gflops };
    return { core: best.core, setting: best.core, gflops: best.gflops, before, verdict: 'chosen' };
  }
  if (!right) return { ...untouched, verdict: 'wrong' };
  return { ...untouched, verdict: others.length > 0 && good.length === 0 ? 'old' : 'fits' };
}

/** @param {number} gflops */
const rate = (gflops) => `${gflops.toFixed(0)} GFLOP/s`;

/**
 * @param {BlasFit} fit
 * @returns {string | null} what to tell the user, null where all is well; a `wrong` one ends set-up with it
 */
export function lineOf({ verdict, core, gflops, before }) {
  if (verdict === 'chosen') {
    const why = before?.gflops
      ? `takes this processor for ${before.core} (${rate(before.gflops)} a thread)`
      : `computes wrongly or crashes as ${before?.core}, which it takes this processor for`;
    return `OpenBLAS ${why}; it is run as ${core} (${rate(gflops)}, products checked). ${VARIABLE} in the environment overrides that`;
  }
  if (verdict === 'old')
    return `OpenBLAS takes this processor for ${core} (${rate(gflops)} a thread) and computes rightly as no faster one: a newer OpenBLAS, or a PyTorch 2 that python3 imports, is faster`;
  if (verdict === 'wrong')
    return `the BLAS${core ? `, OpenBLAS as ${core},` : ''} computes wrongly or crashes on this processor`;
  return null;
}
