/**
 * OpenBLAS's cores: sets of kernels, one chosen when the library is loaded. What each demands of a processor, and which ones a
 * processor could run. A release that is older than the processor may not know it, and then takes its oldest kernels.
 */

/** What a core's kernels are written in. The numbers only order them. @type {Record<string, number>} */
const WIDTHS = { sse: 0, avx: 1, avx2: 2, avx512: 3 };

/** By OpenBLAS's own names, in lower case. One that is not here is left alone. @type {Record<string, string[]>} */
const CORES = {
  sse: [
    'generic',
    'katmai',
    'coppermine',
    'northwood',
    'prescott',
    'banias',
    'core2',
    'penryn',
    'dunnington',
    'nehalem',
    'atom',
    'nano',
    'athlon',
    'opteron',
    'opteron_sse3',
    'barcelona',
    'bobcat',
  ],
  avx: ['sandybridge', 'bulldozer', 'piledriver', 'steamroller', 'excavator'],
  avx2: ['haswell', 'zen'],
  avx512: ['skylakex', 'cooperlake', 'sapphirerapids'],
};

/** What to try, widest first, and the processor's flags that each needs. @type {[core: string, needs: string[]][]} */
const CANDIDATES = [
  ['SapphireRapids', ['avx512f', 'avx512bw', 'avx512dq', 'avx512vl', 'avx512_bf16', 'amx_tile', 'amx_bf16']],
  ['Cooperlake', ['avx512f', 'avx512bw', 'avx512dq', 'avx512vl', 'avx512_bf16']],
  ['SkylakeX', ['avx512f', 'avx512bw', 'avx512dq', 'avx512vl']],
  ['Haswell', ['avx2', 'fma']],
  ['Zen', ['avx2', 'fma']],
  ['Sandybridge', ['avx']],
];

/**
 * @param {string} core
 * @returns {number | null} null for one that is not known here
 */
function widthOf(core) {
  const width = Object.keys(CORES).find((name) => CORES[name]?.includes(core.toLowerCase()));
  return width === undefined ? null : (WIDTHS[width] ?? null);
}

/**
 * @typedef {object} Processor
 * @property {string} identity changes when the processor does
 * @property {string[]} flags what it can do
 */

/**
 * @param {string} cpuinfo text of Linux's /proc/cpuinfo, or its beginning: the first processor is read
 * @returns {Processor}
 */
export function readProcessor(cpuinfo) {
  const block = cpuinfo.split('\n\n', 1)[0] ?? '';
  const of = (/** @type {string} */ name) => block.match(new RegExp(`^${name}\\s*: (.*)$`, 'm'))?.[1]?.trim() ?? '';
  const identity = ['vendor_id', 'cpu family', 'model', 'model name', 'stepping'].map(of).join(' / ');
  return {
    identity,
    flags: (of('flags') || of('Features')).split(' ').filter((flag) => flag !== ''),
  };
}

/**
 * @param {string[]} flags
 * @returns {string[]} the cores that a processor with them could run, widest first
 */
export function coresFor(flags) {
  const has = new Set(flags);
  return CANDIDATES.filter(([, needs]) => needs.every((flag) => has.has(flag))).map(([core]) => core);
}

/**
 * @param {string} core that the library took
 * @param {string[]} flags
 * @returns {string[]} cores with wider kernels than its own; none where it knows the processor
 */
export function widerThan(core, flags) {
  const width = widthOf(core);
  return width === null ? [] : coresFor(flags).filter((name) => (widthOf(name) ?? 0) > width);
}
