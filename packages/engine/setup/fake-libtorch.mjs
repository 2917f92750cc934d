/**
 * For tests: folders that look like a libtorch, in the layouts that are found in the wild.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';

/** @returns {string} a folder that is gone after the test */
export function temporaryFolder() {
  const folder = mkdtempSync(path.join(tmpdir(), 'looprpt-setup-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * @param {string} file
 * @param {string} text
 * @param {number} [mode]
 */
export function write(file, text, mode = 0o644) {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text, { mode });
}

/**
 * @param {string} root
 * @param {object} [options]
 * @param {string} [options.version]
 * @param {string} [options.libDir] relative to root
 * @param {string[]} [options.libs]
 * @param {string} [options.versionHeader] relative to include; 2.11 moved the numbers
 * @param {string} [options.cmake] text of TorchConfig.cmake
 * @returns {string} root
 */
export function fakeLibtorch(root, options = {}) {
  const { version = '2.5.1', libDir = 'lib', libs = ['torch', 'torch_cpu', 'c10'], cmake } = options;
  const header = 'torch/csrc/api/include/torch/version.h';
  const { versionHeader = header } = options;
  const [major, minor, patch] = version.split('.');
  const include = path.join(root, 'include');
  write(path.join(include, 'ATen/ATen.h'), '');
  write(path.join(include, header), '#include <torch/headeronly/version.h>\n');
  write(
    path.join(include, versionHeader),
    `#define TORCH_VERSION_MAJOR ${major}\n#define TORCH_VERSION_MINOR ${minor}\n#define TORCH_VERSION_PATCH ${patch}\n`,
  );
  for (const lib of libs) write(path.join(root, libDir, `lib${lib}.so`), `contents of ${lib}`);
  if (cmake !== undefined) write(path.join(root, 'share/cmake/Torch/TorchConfig.cmake'), cmake);
  return root;
}
