/**
 * Ctrl-C during work that can be stopped at a good moment: once asks for that, a second time ends the process.
 *
 * npm passes the terminal's signal on although it has reached us already, so the same signal within a second counts once.
 * Signals are handled between steps, when JavaScript has its turn.
 */
import type { TerminalStream } from './terminal/output.js';

const SAME_PRESS_MS = 1000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface Interruption extends Disposable {
  readonly signal: AbortSignal;
}

export interface InterruptionOptions {
  /** What the first signal brings about. */
  words?: string;
  /** Ends the process at once. */
  abort?: (code: number) => void;
  now?: () => number;
}

/**
 * Listens until disposed of.
 * @param stream is told what happens
 */
export function interruption(
  stream: TerminalStream,
  {
    words = 'stopping after this step, with a checkpoint; Ctrl-C again stops at once',
    abort = (code) => process.exit(code),
    now = Date.now,
  }: InterruptionOptions = {},
): Interruption {
  const controller = new AbortController();
  let first = 0;
  const onSignal = (): void => {
    if (!controller.signal.aborted) {
      first = now();
      stream.write(`\n${words}\n`);
      controller.abort();
    } else if (now() - first > SAME_PRESS_MS) {
      abort(130);
    }
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}
