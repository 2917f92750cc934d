/** A training run on the terminal: one bar, with the loss, the mean loops and the speed behind it. */
import type { TerminalOptions } from '../base/terminal/output.js';
import { type Progress, progress } from '../base/terminal/progress.js';
import type { RunHooks } from './training.js';

export interface TrainingBar extends Required<Pick<RunHooks, 'onStep' | 'onMessage'>>, Disposable {
  /** Ends the bar where it stands. */
  done(): void;
}

/**
 * The hooks that draw it, from the first step on. A resumed run's bar shows what is left to do, so that its estimate is of
 * this part.
 */
export function trainingBar(title: string, options: TerminalOptions = {}): TrainingBar {
  const { quiet = false, stream = process.stderr } = options;
  let bar: Progress | undefined;
  let first = 0;
  const done = (): void => bar?.done();
  return {
    onMessage: (message) => {
      if (bar) bar.log(message);
      else if (!quiet) stream.write(`${message}\n`);
    },
    onStep: ({ step, loss, meanLoops, tokensPerSecond }, totalSteps) => {
      first ||= step;
      bar ??= progress(first > 1 ? `${title} from step ${first}` : title, totalSteps - first + 1, options);
      const note = `loss ${loss.toFixed(3)}  loops ${meanLoops.toFixed(2)}  ${Math.round(tokensPerSecond)} tokens/s`;
      bar.update(step - first + 1, note);
    },
    done,
    [Symbol.dispose]: done,
  };
}
