import type { Compiler } from './index.mjs';

/** @param macros what the compiler prints for `-dM -E` @returns instructions by the words of /proc/cpuinfo */
export function wordsOf(macros: string): string[];

/** What the compiler may use with these flags; none where it does not say. */
export function instructionsOf(compiler: Compiler, flags: readonly string[]): string[];

/** Those of a processor's flags that an addon may need, in order. */
export function needable(flags: readonly string[]): string[];

/**
 * @param needed instructions that an addon was compiled for
 * @param flags of the processor; none where the system does not say, and then nothing is refused
 * @returns what to tell the user; null where it can run
 */
export function refusal(needed: readonly string[], flags: readonly string[]): string | null;
