/**
 * Which BLAS a distribution's libtorch would load. Debian's and Ubuntu's is linked against whatever `libblas.so.3`
 * points at; when nothing better is installed that is the reference BLAS, tens of times slower than OpenBLAS.
 * A libtorch from elsewhere carries its own.
 */
import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';

/**
 * @param {import('./index.mjs').Libtorch | null} libtorch
 * @param {NodeJS.Platform} [platform]
 * @returns {import('./index.mjs').Blas}
 */
export function blasOf(libtorch, platform = process.platform) {
  if (libtorch === null) return 'unknown';
  const shared = path.join(libtorch.libDir, 'libblas.so.3');
  if (platform !== 'linux' || !existsSync(shared)) return libtorch.how === 'system' ? 'unknown' : 'optimised';
  const target = realpathSync(shared);
  if (/openblas|blis|mkl|atlas|armpl|nvpl/.test(target)) return 'optimised';
  return target.includes('/blas/') ? 'reference' : 'unknown';
}
