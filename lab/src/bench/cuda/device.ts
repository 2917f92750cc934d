/** What is known of a CUDA device: its name, and the peak that its maker gives for dense bfloat16 products. */
import { spawnSync } from 'node:child_process';

/** FLOP/s, by a piece of the name; the first that fits counts. */
const PEAKS: readonly (readonly [RegExp, number])[] = [
  [/H100 PCIe/, 756e12],
  [/H100|H200/, 989e12],
  [/A100/, 312e12],
];

/** Null for other devices: then the rate of a large product, measured in the same run, stands in. */
export function nominalPeak(name: string | null): number | null {
  return PEAKS.find(([piece]) => name !== null && piece.test(name))?.[1] ?? null;
}

/** The name of 'cuda' or 'cuda:1' as the driver's own tool says it; null without one. */
export function deviceName(device: string): string | null {
  const index = device.split(':')[1] ?? '0';
  const query = ['--query-gpu=name', '--format=csv,noheader', `--id=${index}`];
  const { status, stdout } = spawnSync('nvidia-smi', query, { encoding: 'utf8' });
  return status === 0 ? stdout.trim().split('\n')[0]! : null;
}
