/**
 * A group of processes that compute together: collectives over tensors, on libtorch's c10d (Gloo between CPUs, NCCL between
 * CUDA devices).
 *
 * All ranks begin the same collectives in the same order. None waits without a limit: where a rank was killed, stands still or is
 * cut off, the others' collective fails with an error that names it, and the group is of no further use; `fail` tells the others
 * why this process gives up. What crosses the wire is not encrypted and not authenticated: trusted networks only.
 */
import assert from 'node:assert/strict';
import { deserialize, serialize } from 'node:v8';
import { empty, tensor } from '../create.js';
import { noGrad } from '../grad-mode.js';
import { scope } from '../memory.js';
import { native } from '../native.js';
import { op } from '../operator.js';
import type { Tensor } from '../tensor.js';
import { Collective, PeerError } from './collective.js';

export type Backend = 'gloo' | 'nccl';

export interface JoinOptions {
  /** This process's number, from 0, and how many there are. */
  rank: number;
  size: number;
  /** Where the store is by which the processes find each other. */
  host: string;
  port: number;
  /** Whether this process holds that store; rank 0 unless told. */
  holdsStore?: boolean;
  /** Set where the store is held by whoever started the processes. */
  storeIsAgents?: boolean;
  /** Tells processes of this attempt from those of an earlier one at the same store. */
  attempt?: string;
  /** `gloo` unless told. */
  backend?: Backend;
  /** Index of this process's CUDA device; `nccl` only. */
  device?: number;
  /** Longest that joining, or one collective, may take. */
  timeLimitSeconds?: number;
  /** A rank without a sign of life for so long is taken for dead. */
  silenceSeconds?: number;
  /** Aborted while the others have not come: joining fails within about a second. */
  signal?: AbortSignal | undefined;
}

/** Gloo's `max` and `min` lose a NaN of every rank but the first: agree on whether numbers are finite by a sum. */
export type Reduction = 'sum' | 'max' | 'min' | 'mean';

let tickets = 0;

/** The backends that this addon was built with; none where libtorch has no distributed part. */
export function distributedBackends(): Backend[] {
  return native.distributedBackends() as Backend[];
}

const milliseconds = (seconds: number): number => Math.round(seconds * 1000);

export class ProcessGroup implements AsyncDisposable {
  #handle: number;

  private constructor(
    handle: number,
    readonly rank: number,
    readonly size: number,
    readonly backend: Backend,
    /** Where tensors of collectives lie. */
    readonly device: string,
  ) {
    this.#handle = handle;
  }

  /** Meets the other processes. @throws PeerError naming the ranks that did not come, or what cannot be reached */
  static async join(options: JoinOptions): Promise<ProcessGroup> {
    const { rank, size, host, port, backend = 'gloo', device = 0 } = options;
    const { timeLimitSeconds = 600, silenceSeconds = 30, storeIsAgents = false, attempt = '0' } = options;
    const available = distributedBackends();
    if (!available.includes(backend)) throw new Error(missing(backend, available));
    const ticket = ++tickets;
    const joining = native.joinGroup(
      backend,
      host,
      port,
      options.holdsStore ?? (rank === 0 && !storeIsAgents),
      `looprpt/${storeIsAgents ? 'agent/' : ''}${attempt}`,
      rank,
      size,
      device,
      milliseconds(timeLimitSeconds),
      milliseconds(silenceSeconds),
      ticket,
    );
    const cancel = (): void => native.cancelJoin(ticket);
    options.signal?.addEventListener('abort', cancel);
    if (options.signal?.aborted) cancel();
    const handle = await joining
      .catch((error: Error) => {
        throw new PeerError(error.message);
      })
      .finally(() => options.signal?.removeEventListener('abort', cancel));
    return new ProcessGroup(handle, rank, size, backend, backend === 'nccl' ? `cuda:${device}` : 'cpu');
  }

  get handle(): number {
    assert(this.#handle !== 0, 'this process group was left');
    return this.#handle;
  }

  /** Whether `reduceScatter` sends less than an all-reduce. */
  get scattersSums(): boolean {
    return native.scattersSums(this.backend);
  }

  // ------------------------------------------------------------------------------------------ begun now, waited for later
  /** self ← the reduction of all ranks' tensors, in place; a mean divides when it is waited for. */
  allReduce(self: Tensor, reduction: Reduction = 'sum'): Collective {
    if (reduction === 'mean')
      return new Collective(native.allReduce(this.handle, self.handle, 'sum'), () =>
        op('aten::div_.Scalar')(self, this.size),
      );
    return new Collective(native.allReduce(this.handle, self.handle, reduction));
  }

  /**
   * output [n] ← this rank's n elements of the sum of all inputs [size·n]. Where the backend has no such operator, all of the sum is
   * formed, in `input`, and cut.
   */
  reduceScatter(output: Tensor, input: Tensor): Collective {
    if (this.scattersSums || this.size === 1)
      return new Collective(native.reduceScatter(this.handle, output.handle, input.handle));
    const n = output.numel;
    assert(input.numel === n * this.size, `a reduce-scatter of ${input.numel} elements into ${n}`);
    return new Collective(native.allReduce(this.handle, input.handle, 'sum'), () =>
      scope(() => void output.view(-1).copy_(input.view(-1).slice(0, n * this.rank, n * (this.rank + 1)))),
    );
  }

  /** output [size·n] ← the inputs [n] of all ranks in their order; any dtype. */
  allGather(output: Tensor, input: Tensor): Collective {
    return scope(() => new Collective(native.allGather(this.handle, bytesOf(output).handle, bytesOf(input).handle)));
  }

  /** self ← rank `root`'s tensor; any dtype. */
  broadcast(self: Tensor, root = 0): Collective {
    return scope(() => new Collective(native.broadcast(this.handle, bytesOf(self).handle, root)));
  }

  barrier(): Collective {
    return new Collective(native.barrier(this.handle));
  }

  // ------------------------------------------------------------------------------------------ small things, at once
  /** Sums of numbers over the ranks, in float64. */
  sums(values: readonly number[]): number[] {
    return scope(() => {
      const all = tensor(Float64Array.from(values), { device: this.device });
      this.allReduce(all).wait();
      return Array.from(all.toNumbers());
    });
  }

  /** Whether any rank says so. */
  any(flag: boolean): boolean {
    return this.sums([Number(flag)])[0]! > 0;
  }

  /** Every rank's value, in the order of ranks: anything that Node can clone. */
  exchange<T>(value: T): T[] {
    const own = serialize(value);
    return scope(() => {
      const gathered = (input: Tensor, n: number): Tensor => {
        const output = empty([this.size * n], { dtype: input.dtype, device: this.device });
        this.allGather(output, input).wait();
        return output;
      };
      const lengths = gathered(tensor([own.length], { dtype: 'int64', device: this.device }), 1).toNumbers();
      const longest = Math.max(...lengths);
      const padded = new Uint8Array(longest);
      padded.set(own);
      const bytes = gathered(tensor(padded, { device: this.device }), longest).toTyped() as Uint8Array;
      return Array.from(
        lengths,
        (length, rank) => deserialize(bytes.subarray(rank * longest, rank * longest + length)) as T,
      );
    });
  }

  // ------------------------------------------------------------------------------------------ the end
  /** Tells the other ranks, once, that this process gives up; their collectives fail with this reason. */
  fail(reason: string): void {
    if (this.#handle !== 0) native.failGroup(this.#handle, reason);
  }

  /** Leaves; all collectives have been waited for. After a failure nothing is waited for. */
  async [Symbol.asyncDispose](): Promise<void> {
    const handle = this.#handle;
    this.#handle = 0;
    if (handle !== 0) await native.leaveGroup(handle);
  }
}

/** The tensor's memory as bytes: Gloo knows few dtypes. */
function bytesOf(t: Tensor): Tensor {
  assert(t.isContiguous, 'a collective wants contiguous tensors');
  return noGrad(() => op('aten::view.dtype')(t.detach().view(-1), 'uint8'));
}

function missing(backend: Backend, available: readonly Backend[]): string {
  if (available.length === 0)
    return 'this libtorch has no distributed part (c10d with Gloo); `looprpt doctor` says which one is in use';
  return `the engine was built without ${backend}: libtorch needs it, and the headers of NCCL and CUDA must lie beside it (pip install nvidia-cuda-crt nvidia-cuda-cccl) or in CUDA_HOME; then run the set-up again`;
}
