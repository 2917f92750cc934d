/**
 * Progress on stderr: one line a step, and on a terminal a running line while something long is at work.
 */

/**
 * @typedef {object} Say
 * @property {(text: string) => void} line
 * @property {(label: string) => () => void} ticking shows that something is at work until the function returned is
 *   called, which says how long it took
 */

/** Without a terminal, a sign of life this often. */
const SIGN_OF_LIFE_S = 30;

/**
 * @param {string} who begins each line
 * @param {{ quiet?: boolean }} [options]
 * @returns {Say}
 */
export function sayer(who, { quiet = false } = {}) {
  if (quiet) return { line: () => {}, ticking: () => () => {} };
  const terminal = process.stderr.isTTY === true;
  /** @param {string} text */
  const line = (text) => void process.stderr.write(`${who}: ${text}\n`);
  return {
    line,
    ticking(label) {
      const started = performance.now();
      const seconds = () => (performance.now() - started) / 1000;
      const erase = terminal ? '\r\x1b[K' : '';
      const tick = () =>
        terminal
          ? process.stderr.write(`${erase}${who}: ${label} … ${seconds().toFixed(0)} s`)
          : line(`${label} … ${seconds().toFixed(0)} s`);
      const timer = setInterval(tick, terminal ? 1000 : SIGN_OF_LIFE_S * 1000);
      tick();
      return () => {
        clearInterval(timer);
        process.stderr.write(`${erase}${who}: ${label}: ${seconds().toFixed(1)} s\n`);
      };
    },
  };
}
