/**
 * Reads one folder that may hold a libtorch: an unpacked libtorch, a `torch` Python package, or a prefix such as /usr.
 * It does not search (find-libtorch.mjs does) and runs nothing: headers and library files say all that is needed.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
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

/**
 * @param {string} root
 * @param {{ platform?: NodeJS.Platform, arch?: NodeJS.Architecture }} [machine] the running one unless told
 * @returns {{ folder: LibtorchFolder } | { reason: string }} the libtorch, or what is missing
 */
export function readLibtorchFolder(root, { platform = process.platform, arch = process.arch } = {}) {
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
      cxx11Abi: readCxx11Abi([path.join(root, 'share'), path.join(root, 'lib'), libDir]),
      stamp: `${file.size}-${Math.floor(file.mtimeMs)}`,
    },
  };
}
