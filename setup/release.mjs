/**
 * `npm run release`: what would be published is checked, and both packages are published as a rehearsal. With `--publish`, in a
 * workflow that may prove where the packages were built (npm's provenance), they are published: the engine first.
 *
 * A release is a commit without changes, a version that all package files share, and a section of the changelog. The repository's address
 * is the workflow's own: no package file names one.
 */
import './node-version.mjs';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { PUBLISHED, root } from './packed.mjs';

/**
 * @typedef {object} Manifest
 * @property {string} name
 * @property {string} version
 * @property {Record<string, string>} [dependencies]
 */

/**
 * @param {Manifest[]} packages the published ones
 * @param {string} workspace its version
 * @param {string} changelog
 * @returns {string[]} what stands in the way of a release, a line each
 */
export function obstacles(packages, workspace, changelog) {
  const versions = new Map(packages.map(({ name, version }) => [name, version]));
  const apart = packages
    .filter(({ version }) => version !== workspace)
    .map(({ name, version }) => `${name} is ${version} and the workspace ${workspace}: give them one version`);
  const pinned = packages.flatMap(({ name, dependencies = {} }) =>
    Object.entries(dependencies)
      .filter(([other, range]) => versions.has(other) && range !== versions.get(other))
      .map(([other, range]) => `${name} wants ${other} ${range}, which is ${versions.get(other)}`),
  );
  const heading = new RegExp(`^## \\[?v?${workspace.replaceAll('.', '\\.')}\\b`, 'm');
  const told = heading.test(changelog) ? [] : [`CHANGELOG.md has no section “## ${workspace}”`];
  return [...apart, ...pinned, ...told];
}

/**
 * The address that a package file of this release says, from the workflow that makes it.
 * @param {NodeJS.ProcessEnv} environment
 * @returns {string | null} null outside of a workflow that can prove it
 */
export function repositoryAddress({ GITHUB_SERVER_URL, GITHUB_REPOSITORY, ACTIONS_ID_TOKEN_REQUEST_URL }) {
  if (!GITHUB_SERVER_URL || !GITHUB_REPOSITORY || !ACTIONS_ID_TOKEN_REQUEST_URL) return null;
  return `git+${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}.git`;
}

/** @param {string[]} command @param {string} [folder] */
function run([program = '', ...args], folder = '.') {
  const { status } = spawnSync(program, args, { cwd: path.join(root, folder), stdio: 'inherit' });
  if (status !== 0) refuse(`${[program, ...args].join(' ')} ended with ${status}`);
}

/** @param {string} line */
function refuse(line) {
  process.stderr.write(`${line}\n`);
  process.exit(1);
}

/** @param {string} file */
const read = (file) => readFileSync(path.join(root, file), 'utf8');

function main() {
  const isReal = process.argv.includes('--publish');
  const address = repositoryAddress(process.env);
  const found = obstacles(
    PUBLISHED.map((folder) => JSON.parse(read(`${folder}/package.json`))),
    JSON.parse(read('package.json')).version,
    read('CHANGELOG.md'),
  );
  const changes = spawnSync('git', ['status', '--porcelain'], { cwd: root, encoding: 'utf8' }).stdout.trim();
  const all = changes === '' ? found : [...found, 'there are changes that are not committed'];
  if (isReal && all.length > 0) refuse(all.join('\n'));
  if (isReal && address === null)
    refuse(
      'packages are published by .github/workflows/publish.yml alone: only there npm can prove where they were built',
    );
  run([process.execPath, 'setup/check-packages.mjs']);
  for (const folder of PUBLISHED) {
    if (isReal)
      run(
        ['npm', 'pkg', 'set', 'repository.type=git', `repository.url=${address}`, `repository.directory=${folder}`],
        folder,
      );
    run(['npm', 'publish', ...(isReal ? [] : ['--dry-run'])], folder);
  }
  for (const line of isReal ? [] : all) process.stdout.write(`before a release: ${line}\n`);
}

const program = process.argv[1];
if (program !== undefined && path.resolve(program) === fileURLToPath(import.meta.url)) main();
