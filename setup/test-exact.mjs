/**
 * `npm run test:exact`: a thousand mixed requests with speculation over depth, each event held against full depth; a number for
 * another count. The suite runs a few.
 */
import './node-version.mjs';

const { runChild } = await import('./child.mjs');
const { root } = await import('./setup.mjs');

process.env.LOOPRPT_EXACT_REQUESTS = process.argv[2] ?? '1000';
const args = ['node_modules/vitest/vitest.mjs', 'run', 'packages/looprpt/src/decode/speculation.test.ts'];
process.exitCode = await runChild(process.execPath, [...args, '--testTimeout=1800000'], { cwd: root });
