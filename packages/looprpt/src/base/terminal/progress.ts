/**
 * A progress bar on standard error. On a terminal it is redrawn in place; elsewhere it is a plain line now and then,
 * so that a log file stays short; with `quiet` it is nothing.
 *
 * Redrawn inside `update`, because a training loop does not return to the event loop between steps. Its timer never
 * keeps the process alive, so an error that passes by needs no clean-up to end the program.
 */
import cliProgress from 'cli-progress';
import { formatDuration } from './duration.js';
import type { TerminalOptions, TerminalStream } from './output.js';

export interface Progress extends Disposable {
  /** @param done of the total; @param note a few words behind the bar, such as the loss */
  update(done: number, note?: string): void;
  /** Ends the bar where it stands. Further calls do nothing. */
  done(note?: string): void;
  /** Prints a line above the bar. */
  log(line: string): void;
}

/** Without a terminal, a line needs this much time and this share of the total since the last one, */
const PLAIN_SECONDS = 3;
const PLAIN_SHARE = 0.1;
/** or this much time alone. */
const PLAIN_PATIENCE_SECONDS = 30;

export function progress(title: string, total: number, options: TerminalOptions = {}): Progress {
  const stream = options.stream ?? process.stderr;
  if (options.quiet) return disposable({ update: () => {}, done: () => {}, log: () => {} });
  if (stream.isTTY) return barProgress(title, total, stream);
  return plainProgress(title, total, stream, options.now ?? Date.now);
}

/** cli-progress's bar with a timer that does not hold the process. */
class UnheldBar extends cliProgress.SingleBar {
  declare protected timer: NodeJS.Timeout | null;

  override render(): void {
    super.render();
    this.timer?.unref();
  }
}

function barProgress(title: string, total: number, stream: TerminalStream): Progress {
  const bar = new UnheldBar({
    stream,
    format: `  ${title} {bar} {percentage}%  {value}/{total}  {left}{note}`,
    barCompleteChar: '━',
    barIncompleteChar: '─',
    barsize: 28,
    // The library cuts the line at the terminal's width, counting colour codes as text: so there are none.
    linewrap: true,
    fps: 8,
    forceRedraw: true,
  });
  const started = Date.now();
  let payload = { left: '', note: '' };
  let running = true;
  bar.start(total, 0, payload);
  return disposable({
    update: (count, note = '') => {
      if (!running) return;
      payload = { left: remaining(count, total, (Date.now() - started) / 1000), note: note && `  ${note}` };
      bar.update(count, payload);
    },
    done: (note = '') => {
      if (!running) return;
      running = false;
      payload = { left: formatDuration((Date.now() - started) / 1000), note: note ? `  ${note}` : payload.note };
      bar.update(payload);
      bar.stop();
    },
    log: (line) => {
      if (!running) {
        stream.write(`${line}\n`);
        return;
      }
      // `stop` returns to the saved cursor, which a new line above has moved: save it again.
      stream.write(`\r\x1b[K${line}\n\x1b7`);
      bar.render();
    },
  });
}

function plainProgress(title: string, total: number, stream: TerminalStream, now: () => number): Progress {
  const started = now();
  let current = 0;
  let currentNote = '';
  let printed = { at: started, count: 0 };
  let running = true;
  const print = (suffix: string): void => {
    const share = total > 0 ? Math.floor((100 * current) / total) : 100;
    stream.write(`${title}: ${current}/${total} (${share} %)  ${suffix}${currentNote && `  ${currentNote}`}\n`);
    printed = { at: now(), count: current };
  };
  return disposable({
    update: (count, note = '') => {
      if (!running) return;
      current = count;
      currentNote = note;
      const seconds = (now() - printed.at) / 1000;
      const enough = seconds >= PLAIN_SECONDS && count - printed.count >= PLAIN_SHARE * total;
      if (enough || seconds >= PLAIN_PATIENCE_SECONDS) print(remaining(count, total, (now() - started) / 1000));
    },
    done: (note = '') => {
      if (!running) return;
      running = false;
      currentNote = note || currentNote;
      print(`in ${formatDuration((now() - started) / 1000)}`);
    },
    log: (line) => stream.write(`${line}\n`),
  });
}

function remaining(count: number, total: number, seconds: number): string {
  if (count <= 0 || count >= total) return formatDuration(seconds);
  return `${formatDuration((seconds / count) * (total - count))} left`;
}

function disposable(methods: Pick<Progress, 'update' | 'done' | 'log'>): Progress {
  return { ...methods, [Symbol.dispose]: () => methods.done() };
}
