/** The modes in which nothing is recorded for gradients. */
import { native } from './native.js';

function withGrad<T>(on: boolean, body: () => T): T {
  const before = native.setGradEnabled(on);
  try {
    return body();
  } finally {
    native.setGradEnabled(before);
  }
}

/** Nothing inside is recorded for gradients. */
export function noGrad<T>(body: () => T): T {
  return withGrad(false, body);
}

/** Recording on again, inside `noGrad`. */
export function enableGrad<T>(body: () => T): T {
  return withGrad(true, body);
}

export function isGradEnabled(): boolean {
  return native.isGradEnabled();
}

/** Like `noGrad` and cheaper, but tensors made inside can never take part in autograd later. */
export function inference<T>(body: () => T): T {
  native.enterInference();
  try {
    return body();
  } finally {
    native.leaveInference();
  }
}
