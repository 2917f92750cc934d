/**
 * What a process needs that loads an addon built with sanitizers: their runtime before everything else, because node itself has none,
 * and its options. GCC's, on Linux.
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { SetupError } from './setup-error.mjs';

const ASAN_OPTIONS = [
  // node never frees what lives as long as the process, some megabytes of it
  'detect_leaks=0',
  // vectors that libtorch, which is not instrumented, grows in place look overrun
  'detect_container_overflow=0',
  // what is too large is refused by libtorch, with an error that a test expects
  'allocator_may_return_null=1',
  // a mapped file that shrinks is the addon's to report
  'handle_sigbus=0',
  'abort_on_error=1',
  'quarantine_size_mb=64',
];
const UBSAN_OPTIONS = ['print_stacktrace=1', 'halt_on_error=1'];

/**
 * @param {import('./index.mjs').Compiler} compiler
 * @returns {Record<string, string>} for the environment
 * @throws {SetupError} where the compiler has no such runtime
 */
export function sanitizerEnvironment({ command }) {
  const [program = '', ...args] = command;
  const libraries = ['libasan.so', 'libubsan.so'].map((name) => {
    const { stdout } = spawnSync(program, [...args, `-print-file-name=${name}`], { encoding: 'utf8' });
    const file = stdout?.trim() ?? '';
    if (!path.isAbsolute(file))
      throw new SetupError(`${command.join(' ')} has no ${name}: sanitizers need GCC's on Linux`);
    return file;
  });
  return {
    LD_PRELOAD: libraries.join(':'),
    ASAN_OPTIONS: ASAN_OPTIONS.join(':'),
    UBSAN_OPTIONS: UBSAN_OPTIONS.join(':'),
  };
}
