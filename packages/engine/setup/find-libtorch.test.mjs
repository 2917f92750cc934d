import path from 'node:path';
import { expect, test } from 'vitest';
import { fakeLibtorch, temporaryFolder, write } from './fake-libtorch.mjs';
import { askPython3, lookForLibtorch } from './find-libtorch.mjs';
import { which } from './programs.mjs';
import { SetupError } from './setup-error.mjs';

/** @type {{ platform: 'linux', arch: 'x64', env: NodeJS.ProcessEnv, systemRoots: string[], askPython: () => null }} */
const bare = { platform: 'linux', arch: 'x64', env: {}, systemRoots: [], askPython: () => null };

/** @param {string} folder @param {string} version */
function pythonTorch(folder, version) {
  const packageDir = path.join(folder, 'site-packages/torch');
  write(path.join(packageDir, 'version.py'), `from typing import Optional\n__version__ = '${version}'\ncuda = None\n`);
  return { packageDir, prefix: path.join(folder, 'env'), python: '/fake/python3' };
}

test('a bare machine has none', () => {
  expect(lookForLibtorch(bare)).toEqual({ libtorch: null, notes: [] });
});

test('an unpacked libtorch or a Python package named by LIBTORCH', () => {
  const root = fakeLibtorch(temporaryFolder(), {
    version: '2.11.0',
    versionHeader: 'torch/headeronly/version.h',
    libs: ['torch', 'torch_cpu', 'c10', 'torch_cuda', 'c10_cuda'],
  });
  const { libtorch } = lookForLibtorch({ ...bare, env: { LIBTORCH: root } });
  expect(libtorch).toMatchObject({
    root,
    version: '2.11.0',
    major: 2,
    minor: 11,
    includeDirs: [`${root}/include`, `${root}/include/torch/csrc/api/include`],
    libDir: `${root}/lib`,
    libs: ['torch', 'torch_cpu', 'c10', 'torch_cuda', 'c10_cuda'],
    cuda: true,
    cxx11Abi: 1,
    how: 'LIBTORCH',
  });
});

test('a LIBTORCH of no use is an error, though the system has a good one', () => {
  const system = fakeLibtorch(temporaryFolder());
  const empty = temporaryFolder();
  const look = (/** @type {string} */ LIBTORCH) => () =>
    lookForLibtorch({ ...bare, env: { LIBTORCH }, systemRoots: [system] });
  expect(look(empty)).toThrow(SetupError);
  expect(look(empty)).toThrow(`LIBTORCH=${empty} is not a usable libtorch: there is no include/ATen/ATen.h in it.`);
  expect(look('/no/such/folder')).toThrow('there is no such folder');
  const old = fakeLibtorch(temporaryFolder(), { version: '1.12.1' });
  expect(look(old)).toThrow('it is libtorch 1.12; 1.13 or newer is needed');
  const noLibraries = fakeLibtorch(temporaryFolder(), { libs: ['torch'] });
  expect(look(noLibraries)).toThrow('there is no lib/libtorch_cpu.so with libc10.so in it');
});

test('what it can do between processes: by its CMake files, and for NCCL by the headers that lie around', () => {
  const site = temporaryFolder();
  const root = fakeLibtorch(path.join(site, 'torch'), { version: '2.11.0' });
  const distributed = (/** @type {NodeJS.ProcessEnv} */ env = {}) =>
    lookForLibtorch({ ...bare, env: { LIBTORCH: root, ...env } }).libtorch?.distributed;
  expect(distributed()).toEqual({ gloo: false, nccl: null });
  const targets = path.join(root, 'share/cmake/Caffe2/Caffe2Targets.cmake');
  write(targets, 'INTERFACE_COMPILE_DEFINITIONS "USE_DISTRIBUTED;USE_C10D_GLOO"');
  // Said to be there, without its header.
  expect(distributed()).toEqual({ gloo: false, nccl: null });
  write(path.join(root, 'include/torch/csrc/distributed/c10d/ProcessGroupGloo.hpp'), '');
  expect(distributed()).toEqual({ gloo: true, nccl: null });

  write(targets, 'INTERFACE_COMPILE_DEFINITIONS "USE_DISTRIBUTED;USE_C10D_GLOO;USE_C10D_NCCL"');
  write(path.join(site, 'nvidia/nccl/include/nccl.h'), '');
  for (const name of ['cuda_runtime_api.h', 'nv/target']) write(path.join(site, 'nvidia/cu13/include', name), '');
  expect(distributed()).toEqual({ gloo: true, nccl: null });
  const toolkit = temporaryFolder();
  write(path.join(toolkit, 'include/crt/host_config.h'), '');
  const nccl = [`${site}/nvidia/nccl/include`, `${site}/nvidia/cu13/include`, `${toolkit}/include`];
  expect(distributed({ CUDA_HOME: toolkit })).toEqual({ gloo: true, nccl });
});

test("Debian's layout, and only for the architecture that runs", () => {
  const root = fakeLibtorch(temporaryFolder(), { version: '1.13.1', libDir: 'lib/x86_64-linux-gnu' });
  expect(lookForLibtorch({ ...bare, systemRoots: [root] }).libtorch).toMatchObject({
    version: '1.13.1',
    libDir: `${root}/lib/x86_64-linux-gnu`,
    cuda: false,
    how: 'system',
  });
  const other = lookForLibtorch({ ...bare, arch: 'arm64', systemRoots: [root] });
  expect(other.libtorch).toBeNull();
  expect(other.notes).toEqual([`${root}: there is no lib/libtorch_cpu.so with libc10.so in it`]);
});

test('LIBTORCH before python3 before the system', () => {
  const system = fakeLibtorch(temporaryFolder(), { version: '2.1.0' });
  const named = fakeLibtorch(temporaryFolder(), { version: '2.2.0' });
  const torch = pythonTorch(temporaryFolder(), '2.3.0+cpu');
  fakeLibtorch(torch.packageDir, { version: '2.3.0' });
  const all = { ...bare, systemRoots: [system], askPython: () => torch };
  expect(lookForLibtorch({ ...all, env: { LIBTORCH: named } }).libtorch).toMatchObject({ version: '2.2.0' });
  expect(lookForLibtorch(all).libtorch).toMatchObject({ version: '2.3.0', how: 'python3', python: '/fake/python3' });
  expect(lookForLibtorch({ ...all, askPython: () => null }).libtorch).toMatchObject({ version: '2.1.0' });
});

test('where two would serve, a note says how to take the other', () => {
  const system = fakeLibtorch(temporaryFolder(), { version: '1.13.1' });
  const torch = pythonTorch(temporaryFolder(), '2.15.0+cpu');
  fakeLibtorch(torch.packageDir, { version: '2.15.0' });
  const all = { ...bare, systemRoots: [system], askPython: () => torch };
  expect(lookForLibtorch(all).notes).toEqual([
    `libtorch 1.13.1 (${system}): 2.15.0 (${torch.packageDir}) comes first; LIBTORCH=${system} in the environment takes it instead`,
  ]);
  // Who has chosen is not told.
  const chosen = lookForLibtorch({ ...all, env: { LIBTORCH: system } });
  expect(chosen).toMatchObject({ libtorch: { version: '1.13.1' }, notes: [] });
});

test('a PyTorch older than 2.0 is passed over with a note', () => {
  const system = fakeLibtorch(temporaryFolder(), { version: '2.1.0' });
  const torch = pythonTorch(temporaryFolder(), '1.13.1');
  fakeLibtorch(torch.packageDir, { version: '1.13.1' });
  const { libtorch, notes } = lookForLibtorch({ ...bare, systemRoots: [system], askPython: () => torch });
  expect(libtorch?.root).toBe(system);
  expect(notes).toEqual([`python3's torch 1.13.1 (${torch.packageDir}): 2.0 or newer is needed`]);
});

test("conda keeps headers and libraries in the environment's prefix", () => {
  const torch = pythonTorch(temporaryFolder(), '2.4.0');
  fakeLibtorch(torch.prefix, { version: '2.4.0' });
  expect(lookForLibtorch({ ...bare, askPython: () => torch }).libtorch).toMatchObject({ root: torch.prefix });
});

test('a Python package without headers is passed over with a note', () => {
  const torch = pythonTorch(temporaryFolder(), '2.4.0');
  const { libtorch, notes } = lookForLibtorch({ ...bare, askPython: () => torch });
  expect(libtorch).toBeNull();
  expect(notes).toEqual([`python3's torch 2.4.0 (${torch.packageDir}): there is no include/ATen/ATen.h in it`]);
});

test('the ABI of std::string as TorchConfig.cmake has it', () => {
  const read = (/** @type {string} */ cmake) =>
    lookForLibtorch({ ...bare, env: { LIBTORCH: fakeLibtorch(temporaryFolder(), { cmake }) } }).libtorch?.cxx11Abi;
  expect(read('  set(TORCH_CXX_FLAGS "-D_GLIBCXX_USE_CXX11_ABI=0")\n')).toBe(0);
  expect(read('  set(TORCH_CXX_FLAGS "-D_GLIBCXX_USE_CXX11_ABI=1")\n')).toBe(1);
  expect(read('#   TORCH_CXX_FLAGS -- Additional (required) compiler flags\n')).toBe(1);
});

test('a library replaced in place is another libtorch', () => {
  const root = fakeLibtorch(temporaryFolder());
  const stamp = () => lookForLibtorch({ ...bare, systemRoots: [root] }).libtorch?.stamp;
  const before = stamp();
  write(path.join(root, 'lib/libtorch_cpu.so'), 'a longer content than before');
  expect(stamp()).not.toBe(before);
});

test('python3: none, broken, chatty', () => {
  const folder = temporaryFolder();
  const env = { PATH: folder };
  expect(askPython3(env)).toBeNull();
  write(path.join(folder, 'python3'), '#!/bin/sh\necho oh no >&2\nexit 1\n', 0o755);
  expect(askPython3(env)).toBeNull();
  const line = "printf 'torch-is-at\\t/site/torch/__init__.py\\t/prefix\\t/bin/python3\\n'";
  write(path.join(folder, 'python3'), `#!/bin/sh\necho welcome\n${line}\n`, 0o755);
  expect(askPython3(env)).toEqual({ packageDir: '/site/torch', prefix: '/prefix', python: '/bin/python3' });
});

test('the real python3, where there is one, says where torch is without importing it', () => {
  const site = temporaryFolder();
  write(path.join(site, 'torch/__init__.py'), 'raise RuntimeError("imported")\n');
  const answer = askPython3({ ...process.env, PYTHONPATH: site });
  expect(answer?.packageDir ?? null).toBe(which('python3') === null ? null : path.join(site, 'torch'));
});
