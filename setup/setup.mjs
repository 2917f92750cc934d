/**
 * Set-up of a clone, every stage silent when there is nothing to do: npm packages, the engine (libtorch and the addon),
 * the compiled TypeScript. `npm run setup` runs it alone; `npm start` and `npm test` begin with it.
 */
import './node-version.mjs';
import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { runChild } from './child.mjs';
import { packagesAreInstalled } from './npm-packages.mjs';

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** @param {string} text */
const say = (text) => void process.stderr.write(`set-up: ${text}\n`);

/**
 * @param {{ yes?: boolean }} [options] yes: install system packages without asking
 * @returns {Promise<number>} 0, or the exit code to end with; what was wrong has been said
 */
export async function setUp({ yes = process.env.LOOPRPT_YES === '1' } = {}) {
  if (!packagesAreInstalled(root)) {
    const status = await installPackages();
    if (status !== 0) return status;
  }
  // after the packages, because it compiles against headers that one of them carries
  const { setupEngine, SetupError } = await import('../packages/engine/setup/index.mjs');
  try {
    await setupEngine({ yes });
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    return error.exitCode;
  }
  /** @param {string[]} more */
  const compile = (...more) =>
    runChild(process.execPath, ['node_modules/@typescript/native/bin/tsc', '-b', ...more], { cwd: root });
  let status = await compile();
  if (status === 1 || status === 2) {
    say('the TypeScript is compiled once more, from its sources alone: after an update what was kept may not fit');
    status = await compile('--force');
  }
  if (status === 1 || status === 2) say('the TypeScript does not compile: see above');
  return status;
}

/** @returns {Promise<number>} */
async function installPackages() {
  const command = existsSync(path.join(root, 'package-lock.json')) ? 'ci' : 'install';
  say(`installing npm packages (npm ${command})`);
  // the npm that started this, if it did; the tools for building and testing are needed whatever NODE_ENV says
  const args = [command, '--include=dev', '--no-audit', '--no-fund'];
  const npm = process.env.npm_execpath;
  const status = await (npm?.endsWith('.js')
    ? runChild(process.execPath, [npm, ...args], { cwd: root })
    : runChild('npm', args, { cwd: root }));
  if (status !== 0) say(`npm ${command} ended with status ${status}; mend what it says above and try again`);
  return status;
}

const program = process.argv[1];
if (program !== undefined && existsSync(program) && realpathSync(program) === fileURLToPath(import.meta.url)) {
  const yes = process.argv.includes('--yes') || process.env.LOOPRPT_YES === '1';
  process.exitCode = await setUp({ yes });
  if (process.exitCode === 0) say('ready');
}
