import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const engineSource = (file: string): string => fileURLToPath(new URL(`./packages/engine/src/${file}`, import.meta.url));

const productSource = fileURLToPath(new URL('./packages/looprpt/src/', import.meta.url));

/**
 * Tests run from the TypeScript sources. Each file gets a process of its own, because libtorch's threads and the
 * live-tensor count are per process; at most two at a time, one thread each, so that two cores are not oversubscribed.
 */
export default defineConfig({
  resolve: {
    alias: [
      { find: /^@looprpt\/engine$/, replacement: engineSource('index.ts') },
      { find: /^@looprpt\/engine\/environment$/, replacement: engineSource('environment.ts') },
      { find: /^looprpt$/, replacement: `${productSource}index.ts` },
      { find: /^looprpt\/internal\/(.*)\.js$/, replacement: `${productSource}$1.ts` },
    ],
  },
  test: {
    include: [
      'packages/*/{src,test-support}/**/*.test.ts',
      'examples/*.test.ts',
      'lab/src/**/*.test.ts',
      'packages/engine/setup/*.test.mjs',
      'setup/*.test.mjs',
    ],
    globalSetup: ['./vitest.global-setup.ts'],
    setupFiles: ['./vitest.setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    env: { OMP_WAIT_POLICY: 'passive', OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' },
  },
});
