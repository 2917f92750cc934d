/** The process around the operators: threads, devices, versions. */
import { native } from './native.js';

/** Threads of libtorch's operators in this process. */
export function setThreads(threads: number): void {
  native.setThreads(threads);
}

export function getThreads(): number {
  return native.threads();
}

export function libtorchVersion(): string {
  return native.version();
}

/** How libtorch was built, as it says itself. */
export function libtorchConfiguration(): string {
  return native.describeBuild();
}

/** CUDA devices that this libtorch can use; 0 without CUDA. */
export function cudaDevices(): number {
  return native.cudaDevices();
}

/** Waits until the device has done what was asked of it. */
export function synchronize(device: string): void {
  native.synchronize(device);
}

/** Bytes of a device: the most that this process has taken of it so far, and all there are. */
export interface DeviceMemory {
  peak: number;
  whole: number;
}

/** Null for the CPU, and where this libtorch (before 2.9) does not say. */
export function deviceMemory(device: string): DeviceMemory | null {
  const pair = native.deviceMemory(device);
  return pair && { peak: pair[0], whole: pair[1] };
}
