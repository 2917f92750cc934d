/**
 * Installs what is missing (libtorch, a BLAS worth the name, a C++ compiler) where the system's packages have it and
 * this user may; elsewhere says what to run. Nothing is installed without a line saying so first, and not without a
 * yes when a person sits at the terminal. Nobody there means yes.
 */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import { planAsText, planInstall, readDistributions } from './install-plan.mjs';
import { which } from './programs.mjs';
import { SetupError } from './setup-error.mjs';

/** @typedef {import('./install-plan.mjs').Need} Need */

/** What a person is told about each. @type {Record<Need, string>} */
export const NEED_TEXT = {
  libtorch: 'libtorch (the library that does the mathematics) was not found',
  blas: "the system's BLAS is the reference one, tens of times slower than OpenBLAS",
  compiler: 'no C++ compiler was found',
};

/** To libtorch. */
export const OTHER_WAYS = 'Other ways: set LIBTORCH to a libtorch folder, or have a PyTorch 2 that python3 can import.';

/**
 * @param {{ askSudo?: boolean }} [options] askSudo false: do not run sudo, take its absence of an answer as none
 * @returns {import('./install-plan.mjs').Machine}
 */
export function thisMachine({ askSudo = true } = {}) {
  const release = '/etc/os-release';
  const root = process.getuid?.() === 0;
  const sudo = () =>
    askSudo && which('sudo') !== null && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0;
  return {
    platform: process.platform,
    distributions: existsSync(release) ? readDistributions(readFileSync(release, 'utf8')) : [],
    hasApt: which('apt-get') !== null,
    rights: root ? 'root' : sudo() ? 'sudo' : 'none',
  };
}

/** @param {string} question */
async function askYes(question) {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`${question} [Y/n] `);
  terminal.close();
  return /^(y(es)?)?$/i.test(answer.trim());
}

/**
 * Runs a command with its output in a log file; on a terminal shows how long it has been at it.
 * @param {string[]} command
 * @param {string} logFile
 * @param {string} label
 * @param {import('./progress.mjs').Say} say
 * @returns {Promise<number>} exit status
 */
async function runLogged(command, logFile, label, say) {
  const [program = '', ...args] = command;
  const log = openSync(logFile, 'a');
  const child = spawn(program, args, { stdio: ['ignore', log, log] });
  closeSync(log);
  const stop = say.ticking(label);
  const status = await new Promise((resolve) => {
    child.on('error', () => resolve(127));
    child.on('close', (code) => resolve(code ?? 1));
  });
  stop();
  return status;
}

/**
 * @param {Need[]} needs at least one
 * @param {object} options
 * @param {boolean} options.yes do not ask
 * @param {string} options.logFile where the package manager's output goes
 * @param {import('./progress.mjs').Say} options.say
 * @returns {Promise<'done' | 'declined'>}
 * @throws {SetupError} when it cannot be done: with the command to run
 */
export async function install(needs, { yes, logFile, say }) {
  const missing = needs.map((need) => NEED_TEXT[need]).join('; ');
  const plan = planInstall(thisMachine(), needs);
  if (plan.kind === 'tell') {
    const other = needs.includes('libtorch') ? `\n${OTHER_WAYS}` : '';
    throw new SetupError(`${missing}. Run this, then try again:\n  ${plan.lines.join('\n  ')}${other}`);
  }

  const size = needs.includes('libtorch') ? ' (about 150 MB to download, 600 MB on disk)' : '';
  say.line(`${missing}. To be run${size}:\n  ${planAsText(plan).replaceAll(' && ', '\n  ')}`);
  if (!yes && process.stdin.isTTY && !(await askYes('Run this now?'))) return 'declined';

  mkdirSync(path.dirname(logFile), { recursive: true });
  for (const { command, mayFail } of plan.steps) {
    const label = command.includes('update') ? 'reading the package index' : `installing ${plan.packages.join(' ')}`;
    const status = await runLogged(command, logFile, label, say);
    if (status !== 0 && !mayFail) {
      const tail = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-12).join('\n  ');
      throw new SetupError(
        `${command.join(' ')}\nended with status ${status}; the end of ${logFile}:\n  ${tail}\n` +
          `Mend that and try again. ${OTHER_WAYS}`,
      );
    }
  }
  return 'done';
}
