/**
 * How libtorch's threads wait for work. libgomp reads this once, when it is loaded, so it must stand in the environment before the
 * addon is; nothing here loads it.
 *
 * Threads must not spin for long: libtorch has a pool for the main thread and one for the backward pass, and two pools that spin on
 * the same cores are many times slower. But a thread that sleeps takes some 50 µs to wake, which for small products is longer than
 * the product. So they spin for about a fifth of a millisecond, which bridges the gaps between operators, and then sleep.
 */
const SPINS = '20000';

/** Leaves what the user has set. */
export function prepareWaiting(environment: NodeJS.ProcessEnv): void {
  if (environment.OMP_WAIT_POLICY !== undefined) return;
  environment.OMP_WAIT_POLICY = 'passive';
  environment.GOMP_SPINCOUNT ??= SPINS;
}
