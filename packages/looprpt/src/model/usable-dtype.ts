/** Which dtypes this libtorch can run a model in. Some builds hold float16 on the CPU but have no products in it. */
import { type DType, noGrad, ones, scope } from '@looprpt/engine';

const tried = new Map<string, boolean>();

/** The dtype itself where the device multiplies matrices of it, else float32. */
export function usableDType(dtype: DType, device: string): DType {
  const key = `${dtype} ${device.split(':')[0]}`;
  let works = tried.get(key);
  if (works === undefined) {
    works = multiplies(dtype, device);
    tried.set(key, works);
  }
  return works ? dtype : 'float32';
}

function multiplies(dtype: DType, device: string): boolean {
  return noGrad(() =>
    scope(() => {
      const matrix = ones([2, 2], { dtype, device });
      try {
        return matrix.matmul(matrix).toNumbers().length === 4;
      } catch {
        return false;
      }
    }),
  );
}
