/**
 * Random number generators with a state that can be saved and set, one per purpose (weights, noise, samples), so that
 * a resumed run draws what an uninterrupted one would have drawn.
 */
import { NativeTensor } from './memory.js';
import { native } from './native.js';

const collector = new FinalizationRegistry<number>((handle) => native.releaseGenerator(handle));

export class Generator implements Disposable {
  readonly device: string;
  #handle: number;

  /** @param seed an integer of at most 53 bits; on the CPU libtorch uses the lowest 32 of them */
  constructor(seed: number, device = 'cpu') {
    this.device = device;
    this.#handle = native.newGenerator(device, seed);
    collector.register(this, this.#handle, this);
  }

  get handle(): number {
    return this.#handle;
  }

  getState(): Uint8Array {
    using state = new NativeTensor(native.generatorState(this.#handle));
    const bytes = new Uint8Array(native.sizes(state.handle)[0]!);
    native.readBytes(state.handle, bytes);
    return bytes;
  }

  /** @param state what `getState` returned for a generator on the same kind of device */
  setState(state: Uint8Array): void {
    using tensor = new NativeTensor(native.fromBytes(state, 'uint8', [state.length], 'uint8', 'cpu'));
    native.setGeneratorState(this.#handle, tensor.handle);
  }

  dispose(): void {
    if (this.#handle === 0) return;
    collector.unregister(this);
    native.releaseGenerator(this.#handle);
    this.#handle = 0;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
