/**
 * Reads one folder that may hold a libtorch: an unpacked libtorch, a `torch` Python package, or a prefix such as /usr.
 * It does not search (find-libtorch.mjs does) and runs nothing: headers and library files say all that is needed.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

/** The oldest libtorch that the addon compiles against. */
export const OLDEST = { major: 1, minor: 13 };

/** Where Debian keeps the libraries of each architecture. @type {Record<string, string>} */
const DEBIAN_TRIPLETS = {
  x64: 'x86_64-linux-gnu',
  arm64: 'aarch64-linux-gnu',
  ppc64: 'powerpc64le-linux-gnu',
  riscv64: 'riscv64-linux-gnu',
  s390x: 's390x-linux-gnu',
};

/** In 2.x the first includes the second, which then has the numbers. */
const VERSION_HEADERS = ['torch/csrc/api/include/torch/version.h', 'torch/headeronly/version.h', 'torch/version.h'];

/** @typedef {Omit<import('./index.mjs').Libtorch, 'how' | 'python'>} LibtorchFolder */

/** @param {string} include the folder of headers */
function readVersion(include) {
  for (const header of VERSION_HEADERS) {
    const file = path.join(include, header);
    if (!existsSync(file)) continue;
    const text = readFileSync(file, 'utf8');
    /** @param {string} part */
    const number = (part) => text.match(new RegExp(`#define TORCH_VERSION_${part} (\\d+)`))?.[1];
    const [major, minor, patch] = [number('MAJOR'), number('MINOR'), number('PATCH')];
    if (major !== undefined && minor !== undefined) return { major: +major, minor: +minor, patch: +(patch ?? 0) };
  }
  return null;
}

/**
 * Python wheels before 2.7 were compiled with the old ABI of std::string; libtorch's own CMake file says so.
 * @param {string[]} folders that may hold `cmake/Torch/TorchConfig.cmake`
 * @returns {0 | 1}
 */
function readCxx11Abi(folders) {
  const file = folders.map((folder) => path.join(folder, 'cmake/Torch/TorchConfig.cmake')).find(existsSync);
  if (file === undefined) return 1;
  return /TORCH_CXX_FLAGS[^)]*-D_GLIBCXX_USE_CXX11_ABI=0/.test(readFileSync(file, 'utf8')) ? 0 : 1;
}

/** One of each package that they come in. */
const NCCL_HEADERS = ['nccl.h', 'cuda_runtime_api.h', 'crt/host_config.h', 'nv/target'];

/**
 * What libtorch can do between processes. Its CMake files name the backends it was compiled with. NCCL's header draws on CUDA's
 * own, which a libtorch does not bring along: they lie beside it in Python packages, or in a CUDA toolkit.
 * @param {string} root
 * @param {string[]} folders that may hold `cmake/Caffe2/Caffe2Targets.cmake`
 * @param {NodeJS.ProcessEnv} env
 * @returns {import('./index.mjs').Libtorch['distributed']}
 */
function readDistributed(root, folders, env) {
  const file = folders.map((folder) => path.join(folder, 'cmake/Caffe2/Caffe2Targets.cmake')).find(existsSync);
  const text = file === undefined ? '' : readFileSync(file, 'utf8');
  const header = path.join(root, 'include/torch/csrc/distributed/c10d/ProcessGroupGloo.hpp');
  const gloo = /\bUSE_C10D_GLOO\b/.test(text) && existsSync(header);
  if (!gloo || !/\bUSE_C10D_NCCL\b/.test(text)) return { gloo, nccl: null };
  const packages = path.join(path.dirname(root), 'nvidia');
  const found = existsSync(packages) ? readdirSync(packages).map((name) => path.join(packages, name, 'include')) : [];
  const toolkits = [env.CUDA_HOME, env.CUDA_PATH, '/usr/local/cuda'].flatMap((home) =>
    home ? [`${home}/include`] : [],
  );
  const dirs = NCCL_HEADERS.map((name) =>
    [...found, ...toolkits, '/usr/include'].find((dir) => existsSync(path.join(dir, name))),
  );
  return { gloo, nccl: dirs.includes(undefined) ? null : /** @type {string[]} */ ([...new Set(dirs)]) };
}

/**
 * @param {string} root
 * @param {{ platform?: NodeJS.Platform, arch?: NodeJS.Architecture, env?: NodeJS.ProcessEnv }} [machine] the running one
 *   unless told
 * @returns {{ folder: LibtorchFolder } | { reason: string }} the libtorch, or what is missing
 */
export function readLibtorchFolder(root, machine = {}) {
  try {
    return read(root, machine);
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) return { reason: error.message };
    throw error;
  }
}

/** @type {typeof readLibtorchFolder} */
function read(root, machine = {}) {
  const { platform = process.platform, arch = process.arch, env = process.env } = machine;
  const extension = platform === 'darwin' ? 'dylib' : 'so';
  /** @type {(folder: string, name: string) => string} */
  const library = (folder, name) => path.join(folder, `lib${name}.${extension}`);

  if (!existsSync(root)) return { reason: 'there is no such folder' };
  const include = path.join(root, 'include');
  if (!existsSync(path.join(include, 'ATen/ATen.h'))) return { reason: 'there is no include/ATen/ATen.h in it' };
  const version = readVersion(include);
  if (version === null) return { reason: `there is no include/${VERSION_HEADERS[0]} in it` };

  const triplet = DEBIAN_TRIPLETS[arch];
  const libDirs = ['lib', 'lib64', ...(triplet === undefined ? [] : [`lib/${triplet}`])].map((dir) =>
    path.join(root, dir),
  );
  const libDir = libDirs.find((dir) => existsSync(library(dir, 'torch_cpu')) && existsSync(library(dir, 'c10')));
  if (libDir === undefined)
    return { reason: `there is no lib/libtorch_cpu.${extension} with libc10.${extension} in it` };

  const { major, minor, patch } = version;
  if (major < OLDEST.major || (major === OLDEST.major && minor < OLDEST.minor)) {
    return { reason: `it is libtorch ${major}.${minor}; ${OLDEST.major}.${OLDEST.minor} or newer is needed` };
  }
  const cuda = existsSync(library(libDir, 'torch_cuda'));
  const libs = ['torch', 'torch_cpu', 'c10', 'torch_cuda', 'c10_cuda'].filter((name) =>
    existsSync(library(libDir, name)),
  );
  const file = statSync(library(libDir, 'torch_cpu'));
  return {
    folder: {
      root,
      version: `${major}.${minor}.${patch}`,
      major,
      minor,
      includeDirs: [include, path.join(include, 'torch/csrc/api/include')],
      libDir,
      libs,
      cuda,
      distributed: readDistributed(root, [path.join(root, 'share'), path.join(root, 'lib'), libDir], env),
      cxx11Abi: readCxx11Abi([path.join(root, 'share'), path.join(root, 'lib'), libDir]),
      stamp: `${file.size}-${Math.floor(file.mtimeMs)}`,
    },
  };
}
