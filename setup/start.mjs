/**
 * `npm start`: set-up, then `looprpt start` with the arguments given. `--yes` is for the set-up and is not passed on.
 */
import './node-version.mjs';

const { runChild } = await import('./child.mjs');
const { root, setUp } = await import('./setup.mjs');

const args = process.argv.slice(2);
const yes = args.includes('--yes') || process.env.LOOPRPT_YES === '1';
const status = await setUp({ yes });
const program = `${root}/packages/looprpt/bin/looprpt.js`;
const start = () => runChild(process.execPath, [program, 'start', ...args.filter((arg) => arg !== '--yes')]);
process.exitCode = status === 0 ? await start() : status;
