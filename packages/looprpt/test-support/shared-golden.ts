/**
 * Where tests find golden sets that are not part of the repository: a folder `shared/golden` beside the repository's
 * root. Most machines have none, so a test that wants one must skip with a message when this says null. Never imported
 * by the product.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../../../../shared/golden/', import.meta.url);

/** The path of `parts` inside the golden folder, or null when it is not there. */
export function sharedGolden(...parts: readonly string[]): string | null {
  const path = fileURLToPath(new URL(parts.join('/'), root));
  return existsSync(path) ? path : null;
}
