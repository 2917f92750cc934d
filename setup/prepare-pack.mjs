/**
 * Before a package is packed: what it publishes is compiled, and `dist` holds nothing that its sources do not account for (files
 * stay behind when a source is renamed or deleted). Run by npm as `prepack`, in the package's folder.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/**
 * Deletes files of `dist` whose source is gone.
 * @param {string} packageDir
 * @returns {string[]} what was deleted, relative to `dist`
 */
export function pruneDist(packageDir) {
  const dist = path.join(packageDir, 'dist');
  const stale = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((name) => {
    const source = /^(.+?)(\.d\.ts|\.js)(\.map)?$/.exec(name)?.[1];
    if (source === undefined) return false;
    return source.endsWith('.test') || !existsSync(path.join(packageDir, 'src', `${source}.ts`));
  });
  for (const name of stale) rmSync(path.join(dist, name));
  return stale;
}

const program = process.argv[1];
if (program !== undefined && path.resolve(program) === fileURLToPath(import.meta.url)) {
  const tsc = path.join(root, 'node_modules/@typescript/native/bin/tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-b', '.'], { stdio: ['ignore', 2, 2] });
  if (status === 0) pruneDist(process.cwd());
  process.exitCode = status ?? 2;
}
