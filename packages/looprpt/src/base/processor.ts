/** What this machine's processor can do, as the system says. */
import { readFileSync } from 'node:fs';

/** Instruction sets that multiply bfloat16, by the words of Linux; on other systems and processors there is no word for it here. */
const BFLOAT16 = ['amx_bf16', 'avx512_bf16', 'bf16', 'svebf16'];

/** @returns the words that stand for products in bfloat16, none where there are none; null where the system does not say */
export function bfloat16Instructions(
  read: () => string = () => readFileSync('/proc/cpuinfo', 'utf8'),
): string[] | null {
  try {
    const line = read()
      .split('\n')
      .find((text) => /^(flags|Features)\s*:/.test(text));
    if (line === undefined) return null;
    const words = new Set(
      line
        .slice(line.indexOf(':') + 1)
        .trim()
        .split(/\s+/),
    );
    return BFLOAT16.filter((word) => words.has(word));
  } catch {
    return null;
  }
}
