/**
 * The full state of a run as bytes in memory, taken between two steps, so that it can be written while training goes on.
 *
 * Costs one copy of everything a checkpoint holds (weights, moments, masters, teacher) in shared memory. The memory is kept and
 * used again by the next snapshot: pages that are there already are copied to several times faster than fresh ones.
 * Knows nothing of where the state comes from: whoever trains on several ranks hands in tensors that were gathered.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tensor } from '@looprpt/engine';
import {
  inFileOrder,
  safetensorsHeader,
  storedBytes,
  type TensorToWrite,
  withBytes,
} from '../../checkpoint/safetensors/write.js';
import { companionsIn, modelFiles } from '../../checkpoint/save-model.js';
import type { LoopLM } from '../../model/loop-lm.js';
import { STATE_FILE, TENSORS_FILE } from './folder.js';
import type { FileImage } from './write-job.js';

/** What a checkpoint holds. */
export interface CheckpointContent {
  /** JSON: counters, data position; its `step` names the checkpoint. */
  state: { step: number };
  model: LoopLM;
  /** Everything else that training changes, whole, by name: moments, masters, teacher. Any device. */
  tensors: ReadonlyMap<string, Tensor>;
}

/** A small text of the folder's own, for the writer. */
export function textImage(name: string, text: string): FileImage {
  return { name, pieces: [shared(Buffer.from(text))] };
}

/** Files of the tokenizer, read once: the folder they came from may be gone hours later. */
export function readCompanions(folder: string): FileImage[] {
  return companionsIn(folder).map((name) => ({ name, pieces: [shared(readFileSync(join(folder, name)))] }));
}

function shared(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

export class SnapshotMemory {
  readonly #buffers = new Map<string, Uint8Array>();

  /** Copies `content`; the images are valid until the next call. @param options.withCode as in `modelFiles` */
  take({ state, model, tensors }: CheckpointContent, options: { withCode: boolean }): FileImage[] {
    const { weights, texts } = modelFiles(model, options);
    const others = [...tensors].map(
      ([name, tensor]): TensorToWrite => ({ name, shape: tensor.shape, dtype: tensor.dtype, values: () => tensor }),
    );
    return [
      ...[...weights, { name: TENSORS_FILE, tensors: others }].map((file) => this.#image(file)),
      ...[...texts, { name: STATE_FILE, text: `${JSON.stringify(state, null, 2)}\n` }].map(({ name, text }) => ({
        name,
        pieces: [Buffer.from(text)],
      })),
    ];
  }

  #image({ name, tensors }: { name: string; tensors: readonly TensorToWrite[] }): FileImage {
    const ordered = inFileOrder(tensors);
    const pieces = ordered
      .filter((tensor) => storedBytes(tensor) > 0)
      .map((tensor) => {
        const into = this.#buffer(`${name}/${tensor.name}`, storedBytes(tensor));
        withBytes(tensor, (bytes) => into.set(bytes));
        return into;
      });
    return { name, pieces: [safetensorsHeader(ordered), ...pieces] };
  }

  #buffer(name: string, bytes: number): Uint8Array {
    const there = this.#buffers.get(name);
    if (there?.length === bytes) return there;
    const made = new Uint8Array(new SharedArrayBuffer(bytes));
    this.#buffers.set(name, made);
    return made;
  }
}
