/**
 * How fast this machine multiplies matrices of the step's kinds, which is what a step's rate is held against.
 *
 * Shapes: B·T rows, E hidden, F MLP.
 */
import { libtorchVersion, op, randn, scope, type Tensor, zeros } from '@looprpt/engine';
import type { WorkerArguments } from './arguments.js';
import type { MatmulReply } from './protocol.js';
import { median } from './statistics.js';

/** Seconds spent on each shape. */
const TIME = 0.1;

export function matmulRates({ model: { hidden: E, ffn: F }, shape: { B, T }, threads }: WorkerArguments): MatmulReply {
  const shapes: [number, number, number][] = [
    [B * T, E, 3 * E],
    [B * T, E, 2 * F],
    [B * T, F, E],
    [2048, 1024, 1024],
  ];
  return { gflops: shapes.map(rate), libtorch: libtorchVersion(), threads };
}

function rate([m, k, n]: [number, number, number]): MatmulReply['gflops'][number] {
  return scope(() => {
    const left = randn([m, k]);
    const right = randn([k, n]);
    const into = zeros([m, n]);
    const seconds: number[] = [];
    const end = performance.now() + 1000 * TIME;
    multiply(left, right, into);
    do {
      const start = performance.now();
      multiply(left, right, into);
      seconds.push((performance.now() - start) / 1000);
    } while (performance.now() < end);
    const gflops = (time: number): number => (2e-9 * m * k * n) / time;
    return { shape: `${m}x${k}x${n}`, best: gflops(Math.min(...seconds)), median: gflops(median(seconds)) };
  });
}

function multiply(left: Tensor, right: Tensor, into: Tensor): void {
  op('aten::mm.out')(left, right, { out: into });
}
