/**
 * How the addon is compiled: the flags, and the hashes by which a finished object or addon is found again. Pure apart
 * from reading the sources. build-addon.mjs runs it.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** From here on libtorch's headers want C++20. */
const CXX20_SINCE = { major: 2, minor: 9 };

/** Already searched by the compiler; named as system folders they would come in the wrong order. */
const COMPILERS_OWN = new Set(['/usr/include', '/usr/local/include']);

/**
 * @typedef {object} Target
 * @property {import('./index.mjs').Libtorch} libtorch
 * @property {import('./index.mjs').Compiler} compiler
 * @property {string} nativeDir the addon's sources, `**\/*.cc` with `*.h`
 * @property {string} nodeApiInclude folder of node_api.h
 * @property {NodeJS.Platform} platform
 * @property {NodeJS.Architecture} arch
 * @property {string} cpu the processor's name and instructions: objects made for the host's are of no use on another
 * @property {string} [march] instead of `native`
 * @property {boolean} [sanitize] with AddressSanitizer and UndefinedBehaviorSanitizer: slow, for tests
 */

/** @param {import('./index.mjs').Libtorch} libtorch */
function distributedFlags({ distributed }) {
  if (!distributed.gloo) return [];
  const { nccl } = distributed;
  return ['-DUSE_DISTRIBUTED', '-DUSE_C10D_GLOO', ...(nccl === null ? [] : ['-DUSE_C10D_NCCL'])];
}

/**
 * Any finding ends the program. Types of C++ objects are not looked at (vptr): libtorch does not export those of all its classes.
 */
const SANITIZERS = ['-fsanitize=address,undefined', '-fno-sanitize=vptr', '-fno-sanitize-recover=all'];

/** @param {Target} target @returns {string[]} */
export function compileFlags({ libtorch, nativeDir, nodeApiInclude, platform, arch, march, sanitize }) {
  const { major, minor } = libtorch;
  const cxx20 = major > CXX20_SINCE.major || (major === CXX20_SINCE.major && minor >= CXX20_SINCE.minor);
  const mac = platform === 'darwin';
  return [
    cxx20 ? '-std=c++20' : '-std=c++17',
    ...(sanitize ? ['-O1', '-g1', '-fno-omit-frame-pointer', ...SANITIZERS] : ['-O3']),
    mac && arch === 'arm64' && march === undefined ? '-mcpu=native' : `-march=${march ?? 'native'}`,
    '-ffp-contract=fast',
    '-fPIC',
    ...(mac ? [] : ['-fopenmp']),
    '-fvisibility=hidden',
    '-DNDEBUG',
    `-D_GLIBCXX_USE_CXX11_ABI=${libtorch.cxx11Abi}`,
    ...distributedFlags(libtorch),
    '-I',
    nativeDir,
    '-I',
    path.join(nativeDir, 'gloo-declarations'),
    '-isystem',
    nodeApiInclude,
    ...[...libtorch.includeDirs, ...(libtorch.distributed.nccl ?? [])]
      .filter((dir) => !COMPILERS_OWN.has(dir))
      .flatMap((dir) => ['-isystem', dir]),
  ];
}

/**
 * The CUDA libraries register themselves when loaded and nothing refers to them, so the linker must be told to keep
 * them. Their own dependencies lie where only the loader looks. Symbols are bound at loading, so that one that libtorch
 * does not have shows then and not in the middle of a run.
 * @param {Target} target
 * @returns {string[]}
 */
export function linkFlags({ libtorch, platform, sanitize }) {
  const search = ['-L', libtorch.libDir, `-Wl,-rpath,${libtorch.libDir}`];
  /** @type {(libs: string[]) => string[]} */
  const link = (libs) => libs.map((lib) => `-l${lib}`);
  if (platform === 'darwin') return ['-bundle', '-undefined', 'dynamic_lookup', ...search, ...link(libtorch.libs)];
  const kept = libtorch.libs.filter((lib) => lib.endsWith('_cuda'));
  const others = libtorch.libs.filter((lib) => !lib.endsWith('_cuda'));
  return [
    '-shared',
    '-fopenmp',
    ...(sanitize ? SANITIZERS : []),
    ...search,
    '-Wl,--allow-shlib-undefined',
    '-Wl,-z,now',
    ...(kept.length > 0 ? ['-Wl,--no-as-needed', ...link(kept)] : []),
    '-Wl,--as-needed',
    ...link(others),
  ];
}

/** @param {unknown} value */
const hash = (value) => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);

/**
 * @typedef {object} BuildPlan
 * @property {string[]} compile flags
 * @property {string[]} link flags
 * @property {{ source: string, object: string }[]} units source paths (absolute) and names of their objects
 * @property {string} key of the whole addon
 */

/** @param {Target} target @returns {BuildPlan} */
export function planBuild(target) {
  const { libtorch, compiler, nativeDir, nodeApiInclude, arch, cpu, march } = target;
  const compile = compileFlags(target);
  const link = linkFlags(target);
  const files = readdirSync(nativeDir, { recursive: true, encoding: 'utf8' }).sort();
  const sources = new Map(
    files.filter(isSource).map((name) => [name, readFileSync(path.join(nativeDir, name), 'utf8')]),
  );
  const host = march === undefined ? cpu : null;
  // Where our own folders lie goes into no object: a checkout that was moved or copied keeps its build.
  const places = {
    [nativeDir]: 'native',
    [path.join(nativeDir, 'gloo-declarations')]: 'gloo',
    [nodeApiInclude]: 'napi',
  };
  const flags = compile.map((flag) => places[flag] ?? flag);
  const base = hash([flags, compiler, libtorch.version, libtorch.stamp, arch, host]);
  const units = files
    .filter((name) => name.endsWith('.cc'))
    .map((name) => ({
      source: path.join(nativeDir, name),
      object: `${name.replace(/\.cc$/, '').replaceAll(path.sep, '-')}.${hash([base, [...readBy(name, sources)].sort()])}.o`,
    }));
  return { compile, link, units, key: hash([units.map(({ object }) => object), link]) };
}

/** @param {string} name */
function isSource(name) {
  return /\.(cc|h|hpp)$/.test(name);
}

/**
 * A source and the headers of ours that it includes, directly or through others, with their texts.
 * @param {string} name
 * @param {ReadonlyMap<string, string>} sources by name
 * @param {Map<string, string>} [read] what is known to be read already
 */
function readBy(name, sources, read = new Map()) {
  const text = sources.get(name);
  if (text === undefined || read.has(name)) return read; // a header of the compiler's or libtorch's
  read.set(name, text);
  for (const [, included = ''] of text.matchAll(/^\s*#\s*include\s*["<]([^">]+)[">]/gm)) {
    const places = [path.join(path.dirname(name), included), included, path.join('gloo-declarations', included)];
    for (const place of places) readBy(place, sources, read);
  }
  return read;
}
