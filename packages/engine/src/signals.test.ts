/** Signals that arrive amid matrix products: a handler runs, and products and heap stay whole. In a process of its own, which a fault ends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';

/** A product whose kernel needs a workspace, and those of its gradients. */
const PROGRAM = `
  import { backward, fusedLinear, randn, scope, setThreads } from ${JSON.stringify(new URL('../dist/index.js', import.meta.url).href)};
  setThreads(Number(process.argv[1]));
  let signals = 0;
  process.on('SIGUSR2', () => signals++);
  const x = randn([512, 192]), w = randn([64, 192]);
  x.requiresGrad = true;
  w.requiresGrad = true;
  const bytes = () => scope(() => {
    const y = fusedLinear(x, w);
    backward(y.mul(y).sum());
    const all = Buffer.concat([y, x.grad, w.grad].map((t) => Buffer.from(t.toTyped().buffer)));
    x.grad = null;
    w.grad = null;
    return all;
  });
  const first = bytes();
  process.send('ready');
  while (signals < 300) {
    if (!bytes().equals(first)) process.exit(3);
    await new Promise((resolve) => setImmediate(resolve));
  }
  process.send('whole');
`;

test.each([1, 2])('%d threads', { timeout: 60_000 }, async (threads) => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM, String(threads)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const exit = once(child, 'exit');
  await Promise.race([once(child, 'message'), exit]);
  let isOver = false;
  void Promise.race([once(child, 'message'), exit]).then(() => {
    isOver = true;
  });
  while (!isOver) {
    child.kill('SIGUSR2');
    await setTimeout(2);
  }
  // Only now may it end: a process that is about to has no handler any more, and a signal kills it.
  if (child.connected) child.disconnect();
  expect(await exit).toEqual([0, null]);
});
