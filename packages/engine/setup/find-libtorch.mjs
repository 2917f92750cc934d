/**
 * Finds the libtorch to use, in this order: the environment's LIBTORCH, a PyTorch >= 2.0 that `python3` can import, the
 * system's. A LIBTORCH that is of no use is an error, never a reason to look further; everything else that is of no use
 * is passed over with a note.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { readLibtorchFolder } from './libtorch-folder.mjs';
import { SettingError } from './setup-error.mjs';

/** Prefixes of distributions and of Homebrew. @type {Partial<Record<NodeJS.Platform, string[]>>} */
const SYSTEM_ROOTS = {
  linux: ['/usr', '/usr/local', '/home/linuxbrew/.linuxbrew/opt/pytorch'],
  darwin: ['/opt/homebrew/opt/pytorch', '/usr/local/opt/pytorch'],
};

/**
 * Asks where `torch` would be imported from, without importing it (that takes seconds). The current folder does not
 * count. The line is tagged because start-up files of Python may print lines of their own.
 */
const PYTHON_QUESTION = `
import sys, importlib.util
sys.path = [folder for folder in sys.path if folder]
spec = importlib.util.find_spec('torch')
if spec is not None and spec.origin is not None:
    print('torch-is-at', spec.origin, sys.prefix, sys.executable, sep='\\t')
`;

/** @typedef {{ packageDir: string, prefix: string, python: string }} PythonTorch */

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {PythonTorch | null} null when there is no python3, it does not work, or it has no torch
 */
export function askPython3(env = process.env) {
  const answer = spawnSync('python3', ['-c', PYTHON_QUESTION], { env, encoding: 'utf8', timeout: 30_000 });
  const line = (answer.stdout ?? '').split('\n').find((text) => text.startsWith('torch-is-at\t'));
  const [, origin, prefix, python] = line?.trimEnd().split('\t') ?? [];
  if (origin === undefined || prefix === undefined || python === undefined) return null;
  return { packageDir: path.dirname(origin), prefix, python };
}

/**
 * @typedef {object} Surroundings
 * @property {NodeJS.ProcessEnv} [env]
 * @property {NodeJS.Platform} [platform]
 * @property {NodeJS.Architecture} [arch]
 * @property {string[]} [systemRoots]
 * @property {(env: NodeJS.ProcessEnv) => PythonTorch | null} [askPython]
 */

/**
 * @param {Surroundings} [surroundings] the running machine's unless told
 * @returns {{ libtorch: import('./index.mjs').Libtorch | null, notes: string[] }} notes: what was passed over and why; of one
 *   that would serve too, how to take it instead
 */
export function lookForLibtorch(surroundings = {}) {
  const { env = process.env, platform = process.platform, arch = process.arch, askPython = askPython3 } = surroundings;
  const systemRoots = surroundings.systemRoots ?? SYSTEM_ROOTS[platform] ?? [];
  const machine = { platform, arch, env };

  const named = env.LIBTORCH?.trim();
  if (named) {
    const answer = readLibtorchFolder(path.resolve(named), machine);
    if ('folder' in answer) return { libtorch: { ...answer.folder, how: 'LIBTORCH' }, notes: [] };
    throw new SettingError(
      'LIBTORCH',
      `LIBTORCH=${named} is not a usable libtorch: ${answer.reason}`,
      'a libtorch folder, to the folder of a torch Python package, or to a prefix such as /usr',
    );
  }

  const inPython = lookInPython(askPython(env), machine);
  const inSystem = lookInSystem(systemRoots, machine);
  const [libtorch = null, ...others] = [...inPython.found, ...inSystem.found];
  const later = libtorch === null ? [] : others.map((other) => cameLater(other, libtorch));
  return { libtorch, notes: [...inPython.notes, ...inSystem.notes, ...later] };
}

/** @type {(other: import('./index.mjs').Libtorch, taken: import('./index.mjs').Libtorch) => string} */
function cameLater({ version, root }, taken) {
  const before = `${taken.version} (${taken.root})`;
  return `libtorch ${version} (${root}): ${before} comes first; LIBTORCH=${root} in the environment takes it instead`;
}

/** @typedef {{ platform: NodeJS.Platform, arch: NodeJS.Architecture, env: NodeJS.ProcessEnv }} MachineOfSearch */
/** @typedef {{ found: import('./index.mjs').Libtorch[], notes: string[] }} Finds */

/**
 * @param {PythonTorch | null} torch
 * @param {MachineOfSearch} machine
 * @returns {Finds}
 */
function lookInPython(torch, machine) {
  if (torch === null) return { found: [], notes: [] };
  const version = pythonTorchVersion(torch.packageDir);
  const name = `python3's torch ${version.text} (${torch.packageDir})`;
  if (version.major < 2) return { found: [], notes: [`${name}: 2.0 or newer is needed`] };
  // wheels carry headers and libraries in the package; conda keeps them in the environment's prefix
  const inPackage = readLibtorchFolder(torch.packageDir, machine);
  const answer = 'folder' in inPackage ? inPackage : readLibtorchFolder(torch.prefix, machine);
  if ('folder' in answer) return { found: [{ ...answer.folder, how: 'python3', python: torch.python }], notes: [] };
  return { found: [], notes: 'reason' in inPackage ? [`${name}: ${inPackage.reason}`] : [] };
}

/**
 * @param {string[]} roots
 * @param {MachineOfSearch} machine
 * @returns {Finds}
 */
function lookInSystem(roots, machine) {
  /** @type {Finds} */
  const finds = { found: [], notes: [] };
  for (const root of roots) {
    const answer = readLibtorchFolder(root, machine);
    if ('folder' in answer) finds.found.push({ ...answer.folder, how: 'system' });
    else if (existsSync(path.join(root, 'include/ATen/ATen.h'))) finds.notes.push(`${root}: ${answer.reason}`);
  }
  return finds;
}

/**
 * @param {string} packageDir
 * @returns {{ text: string, major: number }} major 0 when the package does not say
 */
function pythonTorchVersion(packageDir) {
  const file = path.join(packageDir, 'version.py');
  const text = existsSync(file) ? readFileSync(file, 'utf8').match(/^__version__\s*=\s*['"]([^'"]+)/m)?.[1] : undefined;
  return { text: text ?? 'of unknown version', major: Number.parseInt(text ?? '0', 10) };
}

/** @type {typeof import('./index.mjs').findLibtorch} */
export const findLibtorch = () => lookForLibtorch().libtorch;
