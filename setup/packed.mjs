/**
 * The packages as npm would publish them: packed, installed in a folder that has nothing else of this repository, and used there.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** Folders of the packages that are published. */
export const PUBLISHED = ['packages/engine', 'packages/looprpt'];

/**
 * @typedef {object} Packed
 * @property {string} name
 * @property {string} filename of the tarball
 * @property {number} unpackedSize bytes
 * @property {{ path: string, size: number }[]} files
 */

/**
 * Runs a program to its end.
 * @param {string[]} command
 * @param {string} cwd
 * @returns {string} stdout
 */
export function run([program = '', ...args], cwd) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd, encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (status === 0) return stdout;
  throw new Error(`${[program, ...args].join(' ')} in ${cwd} ended with ${status ?? error}:\n${stdout}${stderr}`);
}

/**
 * @param {string} folder of a package
 * @param {string[]} options of `npm pack`
 * @returns {Packed}
 */
export function pack(folder, options) {
  const printed = run(['npm', 'pack', '--json', '--silent', ...options], path.join(root, folder));
  const [packed] = JSON.parse(printed.slice(printed.indexOf('[')));
  return packed;
}

/**
 * Unpacks both into `into/node_modules`, with links to the packages that they say they depend on, as this repository has them: an
 * import that no `package.json` names is not found.
 * @param {string} into an empty folder
 */
export function unpackWithLinks(into) {
  for (const folder of PUBLISHED) {
    const { name, filename } = pack(folder, ['--pack-destination', into]);
    const place = path.join(into, 'node_modules', name);
    mkdirSync(place, { recursive: true });
    run(['tar', '-xzf', path.join(into, filename), '--strip-components=1', '-C', place], into);
    const { dependencies } = JSON.parse(readFileSync(path.join(place, 'package.json'), 'utf8'));
    for (const dependency of Object.keys(dependencies)) link(dependency, into);
  }
  writeFileSync(path.join(into, 'package.json'), '{ "private": true, "type": "module" }\n');
}

/**
 * @param {string} dependency
 * @param {string} into
 */
function link(dependency, into) {
  const place = path.join(into, 'node_modules', dependency);
  if (PUBLISHED.some((folder) => readName(folder) === dependency) || existsSync(place)) return;
  mkdirSync(path.dirname(place), { recursive: true });
  symlinkSync(path.join(root, 'node_modules', dependency), place);
}

/** @param {string} folder @returns {string} */
const readName = (folder) => JSON.parse(readFileSync(path.join(root, folder, 'package.json'), 'utf8')).name;

/**
 * The addon that was built here, for the packages that were installed there. Set-up takes it if it is of the same sources.
 * @param {string} into
 */
export function lendBuild(into) {
  cpSync(path.join(root, 'packages/engine/build'), path.join(into, 'node_modules/@looprpt/engine/build'), {
    recursive: true,
    preserveTimestamps: true,
  });
}

/** Pages whose TypeScript is for readers to copy. */
const PAGES = ['packages/looprpt/README.md', 'docs/guide/library.md'];

/**
 * Copies the examples, and the programs in the pages, and compiles them against what is installed, its declarations included.
 * @param {string} into
 * @returns {string[]} names of the programs
 */
export function compileExamples(into) {
  const examples = readdirSync(path.join(root, 'examples')).filter((name) => /^[^.]+\.ts$/.test(name));
  for (const name of examples) cpSync(path.join(root, 'examples', name), path.join(into, name));
  const programs = PAGES.flatMap((page) => {
    const text = readFileSync(path.join(root, page), 'utf8');
    return [...text.matchAll(/```ts\n(.*?)```/gs)].map(([, program = '']) => program);
  });
  const pages = programs.map((program, index) => {
    writeFileSync(path.join(into, `page-${index}.ts`), program);
    return `page-${index}.ts`;
  });
  const base = JSON.parse(readFileSync(path.join(root, 'tsconfig.base.json'), 'utf8'));
  const compilerOptions = { ...base.compilerOptions, composite: false, declaration: false, skipLibCheck: false };
  const typeRoots = [path.join(root, 'node_modules/@types')];
  writeFileSync(
    path.join(into, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: { ...compilerOptions, typeRoots, outDir: 'dist' },
      files: [...examples, ...pages],
    }),
  );
  run([process.execPath, path.join(root, 'node_modules/@typescript/native/bin/tsc'), '-p', '.'], into);
  return examples.map((name) => name.replace(/\.ts$/, ''));
}
