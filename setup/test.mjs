/**
 * `npm test`: set-up, then the tests; arguments go to `vitest run`.
 */
import './node-version.mjs';

const { runChild } = await import('./child.mjs');
const { root, setUp } = await import('./setup.mjs');

const status = await setUp();
const args = ['node_modules/vitest/vitest.mjs', 'run', ...process.argv.slice(2)];
process.exitCode = status === 0 ? await runChild(process.execPath, args, { cwd: root }) : status;
