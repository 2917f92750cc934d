/**
 * The C++ in the shape that packages/engine/.clang-format asks for. Rewrites files that are not; with `--check` names them and ends
 * with 1. The program is a pinned npm package that brings clang-format as WebAssembly: the same on every machine.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const engine = fileURLToPath(new URL('../packages/engine/', import.meta.url));
const program = createRequire(import.meta.url).resolve('@wasm-fmt/clang-format/clang-format-cli.cjs');

const files = ['native', 'portable'].flatMap((folder) =>
  readdirSync(path.join(engine, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(cc|h)$/.test(name))
    .map((name) => path.join(folder, name))
    .sort(),
);
const how = process.argv.includes('--check') ? ['--dry-run', '--Werror', '--fno-color-diagnostics'] : ['-i'];
const { status, stderr, error } = spawnSync(process.execPath, [program, ...how, ...files], {
  cwd: engine,
  encoding: 'utf8',
});
if (error) throw error;
const unformatted = new Set(
  [...stderr.matchAll(/^(.+?):\d+:\d+: error: code should be clang-formatted/gm)].map(([, file]) => file),
);
for (const file of unformatted) console.error(`packages/engine/${file} is not formatted: npm run format`);
if (status !== 0 && unformatted.size === 0) process.stderr.write(stderr);
process.exitCode = status ?? 1;
