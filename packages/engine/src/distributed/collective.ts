/** A collective that was begun: it is waited for once, by blocking or by a promise, and its tensors are left alone until then. */
import assert from 'node:assert/strict';
import { native } from '../native.js';

/** A collective or a meeting that failed; the message names the ranks at fault. The group is of no further use. */
export class PeerError extends Error {
  override readonly name = 'PeerError';
}

function asPeerError(error: unknown): never {
  throw new PeerError(error instanceof Error ? error.message : String(error));
}

export class Collective {
  #handle: number;
  readonly #then: (() => void) | undefined;

  /** @param then what is to be done when it has ended */
  constructor(handle: number, then?: () => void) {
    this.#handle = handle;
    this.#then = then;
  }

  #take(): number {
    assert(this.#handle !== 0, 'a collective is waited for once');
    const handle = this.#handle;
    this.#handle = 0;
    return handle;
  }

  /** Blocks until it has ended. @throws PeerError within the group's time limits */
  wait(): void {
    const handle = this.#take();
    try {
      native.waitCollective(handle);
    } catch (error) {
      asPeerError(error);
    }
    this.#then?.();
  }

  /** The same without blocking JavaScript. */
  async ended(): Promise<void> {
    await native.waitCollectiveLater(this.#take()).catch(asPeerError);
    this.#then?.();
  }
}
