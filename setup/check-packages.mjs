/** `npm run check:packages`: publint and arethetypeswrong on what would be published. */
import './node-version.mjs';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { PUBLISHED, root } from './packed.mjs';

/** The packages are ES modules for Node 20 and newer. */
const CHECKS = [
  ['publint', '--strict'],
  ['attw', '--pack', '.', '--profile', 'esm-only', '--format', 'ascii'],
];

for (const folder of PUBLISHED) {
  for (const [program = '', ...args] of CHECKS) {
    const command = path.join(root, 'node_modules/.bin', program);
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: path.join(root, folder), encoding: 'utf8' });
    process.stdout.write(`${folder}: ${program} ${status === 0 ? 'is content' : `ended with ${status}`}\n`);
    if (status === 0) continue;
    process.stdout.write(`${stdout}${stderr}`);
    process.exitCode = 1;
  }
}
