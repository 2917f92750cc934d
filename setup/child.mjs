/**
 * Runs a child with this process's terminal, and ends as it ended: its exit code, or 128 + the signal's number.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/**
 * Signals: Ctrl-C at a terminal reaches the child by itself, so it is not sent a second time; it is only survived here,
 * so that the child can finish what it does about it. Without a terminal SIGINT is passed on, SIGTERM and SIGHUP always.
 * @param {string} program
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<number>} exit code
 */
export function runChild(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...options, stdio: 'inherit' });
    const atTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
    /** @param {NodeJS.Signals} signal */
    const pass = (signal) => {
      if (signal !== 'SIGINT' || !atTerminal) child.kill(signal);
    };
    /** @type {NodeJS.Signals[]} */
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, pass);
    const letGo = () => {
      for (const signal of signals) process.off(signal, pass);
    };
    child.on('error', (error) => {
      letGo();
      reject(error);
    });
    child.on('close', (code, signal) => {
      letGo();
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
