/**
 * Which instructions an addon was compiled for, by the words of Linux's /proc/cpuinfo, and which of them a processor lacks. An addon
 * for `-march=native` that is copied to a lesser processor would end in the middle of a step; it is refused by name instead.
 *
 * Only what a compiler may use by itself stands here. On other systems nothing is known of a processor, and nothing refused.
 * Types: instructions.d.mts.
 */
import { spawnSync } from 'node:child_process';

/** The compiler's macro for each, and the system's word. @type {Record<string, string>} */
const WORDS = {
  __SSE3__: 'pni',
  __SSSE3__: 'ssse3',
  __SSE4_1__: 'sse4_1',
  __SSE4_2__: 'sse4_2',
  __SSE4A__: 'sse4a',
  __POPCNT__: 'popcnt',
  __LZCNT__: 'abm',
  __MOVBE__: 'movbe',
  __BMI__: 'bmi1',
  __BMI2__: 'bmi2',
  __ADX__: 'adx',
  __AVX__: 'avx',
  __F16C__: 'f16c',
  __FMA__: 'fma',
  __FMA4__: 'fma4',
  __XOP__: 'xop',
  __AVX2__: 'avx2',
  __AVXVNNI__: 'avx_vnni',
  __GFNI__: 'gfni',
  __VAES__: 'vaes',
  __AVX512F__: 'avx512f',
  __AVX512CD__: 'avx512cd',
  __AVX512BW__: 'avx512bw',
  __AVX512DQ__: 'avx512dq',
  __AVX512VL__: 'avx512vl',
  __AVX512IFMA__: 'avx512ifma',
  __AVX512VBMI__: 'avx512vbmi',
  __AVX512VBMI2__: 'avx512_vbmi2',
  __AVX512VNNI__: 'avx512_vnni',
  __AVX512BITALG__: 'avx512_bitalg',
  __AVX512VPOPCNTDQ__: 'avx512_vpopcntdq',
  __AVX512BF16__: 'avx512_bf16',
  __AVX512FP16__: 'avx512_fp16',
  __ARM_FEATURE_ATOMICS: 'atomics',
  __ARM_FEATURE_DOTPROD: 'asimddp',
  __ARM_FEATURE_FP16_VECTOR_ARITHMETIC: 'asimdhp',
  __ARM_FEATURE_BF16_VECTOR_ARITHMETIC: 'bf16',
  __ARM_FEATURE_MATMUL_INT8: 'i8mm',
  __ARM_FEATURE_SVE: 'sve',
  __ARM_FEATURE_SVE2: 'sve2',
};

const KNOWN = new Set(Object.values(WORDS));

/** @type {typeof import('./instructions.mjs').wordsOf} */
export function wordsOf(macros) {
  return Object.keys(WORDS).flatMap((macro) => (macros.includes(`#define ${macro} `) ? [WORDS[macro] ?? ''] : []));
}

/** @type {typeof import('./instructions.mjs').instructionsOf} */
export function instructionsOf({ command: [program = '', ...before] }, flags) {
  const machine = flags.filter((flag) => /^-m(arch|cpu)=/.test(flag));
  const asked = spawnSync(program, [...before, ...machine, '-dM', '-E', '-x', 'c++', '/dev/null'], {
    encoding: 'utf8',
  });
  return asked.status === 0 ? wordsOf(asked.stdout) : [];
}

/** @type {typeof import('./instructions.mjs').needable} */
export const needable = (flags) => flags.filter((flag) => KNOWN.has(flag)).sort();

/** @type {typeof import('./instructions.mjs').refusal} */
export function refusal(needed, flags) {
  const has = new Set(flags);
  const missing = flags.length === 0 ? [] : needed.filter((word) => !has.has(word));
  if (missing.length === 0) return null;
  return `the addon was compiled for a processor with ${missing.join(', ')}, which this one has not`;
}
