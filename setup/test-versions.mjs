/**
 * `npm run test:versions [-- VERSION…]`: builds and tests the engine against versions of PyTorch, and writes the table of
 * docs/reference/engine-versions.md. Without arguments: the first and the last 2.x of the Python index, two between, and the system's.
 * Ends with 1 when a version fails; one that cannot be had is skipped with a line.
 */
import './node-version.mjs';
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import path from 'node:path';

const { root, setUp } = await import('./setup.mjs');
const { chooseVersions, versionsOnIndex } = await import('./torch-index.mjs');
const { tryVersion } = await import('./torch-trial.mjs');
const { writeRow } = await import('./version-table.mjs');

/** @param {string} text */
const say = (text) => void process.stderr.write(`versions: ${text}\n`);

/**
 * @param {string[]} asked
 * @returns {string[]} those that can be had; a name that is none ends the program
 */
function available(asked) {
  if (asked.length === 1 && asked[0] === 'system') return asked;
  const index = versionsOnIndex();
  if ('reason' in index) {
    say(`skipped what the Python index serves: ${index.reason}`);
    return asked.length === 0 ? ['system'] : asked.filter((version) => version === 'system');
  }
  if (asked.length === 0) return ['system', ...chooseVersions(index.versions)];
  const unknown = asked.filter((version) => version !== 'system' && !index.versions.includes(version));
  if (unknown.length === 0) return asked;
  say(
    `${unknown.join(', ')}: the Python index does not serve that to this python3; it has ${index.versions.join(', ')}`,
  );
  process.exit(1);
}

/** @param {import('./torch-trial.mjs').EngineBuild | null} build */
function machineOf(build) {
  const python = spawnSync('python3', ['--version'], { encoding: 'utf8' }).stdout?.trim() ?? 'no Python';
  const compiler = build === null ? [] : [build.compiler.version.replace(/ \(.*\)/, '')];
  return [cpus()[0]?.model.trim(), `Node ${process.versions.node}`, python, ...compiler].join(', ');
}

function when() {
  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' });
  return [new Date().toISOString().slice(0, 10), commit.stdout?.trim()].filter(Boolean).join(', ');
}

let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => (interrupted = true)); // the child at work gets it too

/** @param {string} version */
async function test(version) {
  say(version);
  const trial = await tryVersion({ version, root, folder: path.join(root, '.cache/torch-versions', version) });
  if (interrupted) return false;
  if ('reason' in trial) {
    say(`skipped ${version}: ${trial.reason}`);
    return true;
  }
  const { build, seconds, tests } = trial;
  const flags = build?.flags ?? [];
  const compiledAs = [
    flags.some((flag) => flag === '-std=c++20') ? 'C++20' : 'C++17',
    ...(build?.libtorch.cxx11Abi === 0 ? ['old ABI of std::string'] : []),
  ].join(', ');
  say(`${build?.libtorch.version ?? version}: ${tests.text}`);
  writeRow(path.join(root, 'docs/reference/engine-versions.md'), {
    version: build?.libtorch.version ?? version,
    from: version === 'system' ? 'system' : 'Python index',
    compiledAs: build === null ? '' : compiledAs,
    seconds: build === null ? null : seconds,
    tests: tests.text,
    machine: machineOf(build),
    when: when(),
  });
  return tests.ok;
}

const versions = available(process.argv.slice(2));
let status = versions.length === 0 ? 0 : await setUp();
for (const version of status === 0 ? versions : []) {
  if (!(await test(version))) status = 1;
  if (interrupted) break;
}
process.exitCode = interrupted ? 130 : status;
