/** A model opened for reading: its folder, its weights on a device, its tokenizer. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ModelDType, WeightFormat } from '../../base/dtypes.js';
import { prepareEngine } from '../../base/prepare-engine.js';
import { UserError } from '../../base/user-error.js';
import { loadModel } from '../../checkpoint/load-model.js';
import { isReadableInPlace, loadReadOnly } from '../../checkpoint/load-read-only.js';
import { CONFIG_FILE } from '../../checkpoint/stored-model.js';
import type { LoopLMConfig } from '../../model/config.js';
import type { LoopLM } from '../../model/loop-lm.js';
import { usableDType } from '../../model/usable-dtype.js';
import { Tokenizer } from '../../text/tokenizer.js';
import { modelFolder } from './model-folder.js';

/** How models are opened: where, in which numbers, with how many threads. */
export interface OpenOptions {
  /** `cpu`, `cuda` or `cuda:N`; default: CUDA when there is one. */
  device?: string | undefined;
  /** Of weights and activations; `auto`, the default: the model's own where the device can compute with it, else float32. */
  dtype?: ModelDType | 'auto' | undefined;
  /** CPU threads of this process; default: `OMP_NUM_THREADS`, else one for each physical core. */
  threads?: number | undefined;
  /**
   * The weights will only be read. On the CPU bfloat16 then stays in the mapped file, beside float32 activations, and `weights` may
   * name another format.
   */
  readOnly?: boolean | undefined;
  /** In which numbers matrices are held; default: as stored. With `readOnly`, on the CPU. */
  weights?: WeightFormat | undefined;
  /** Told of bytes of weights that were read, and of all; with `readOnly`. */
  onLoad?: ((bytes: number, all: number) => void) | undefined;
  /** Told in a sentence of downloads, damaged checkpoints, settings without effect and a dtype that this machine cannot compute with. */
  onMessage?: ((line: string) => void) | undefined;
}

/** A looped language model with its tokenizer. It owns native memory: free it with `using` or `dispose`. */
export class Model implements Disposable {
  readonly #tokenizer: Tokenizer | null;

  constructor(
    /** As it was asked for. */
    readonly name: string,
    /** Where its files are. */
    readonly folder: string,
    /** The network: weights, forward passes, logits. */
    readonly lm: LoopLM,
    tokenizer: Tokenizer | null,
  ) {
    this.#tokenizer = tokenizer;
  }

  /** Layers, widths, loops, special tokens. */
  get config(): LoopLMConfig {
    return this.lm.config;
  }

  /** @throws UserError where the folder has none */
  get tokenizer(): Tokenizer {
    if (this.#tokenizer === null) throw new UserError(`${this.name}: no tokenizer.json in ${this.folder}`);
    return this.#tokenizer;
  }

  /** Null where the folder has none, as a bare set of weights. */
  get tokenizerIfAny(): Tokenizer | null {
    return this.#tokenizer;
  }

  /** Frees the weights. */
  dispose(): void {
    this.lm.dispose();
  }

  /** As `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Opens a model by its name.
 * @param name a model folder; a run folder, which means its blended model or newest checkpoint; an id on the Hugging Face Hub
 *   (`owner/name`, `owner/name@revision`), downloaded if need be; or `hop-base`, the small base that comes with this package
 * @throws UserError when there is no such model, it is damaged or of another architecture, or the device is not there
 * @example
 * using model = await loadModel('ByteDance/Ouro-1.4B', { dtype: 'auto' });
 */
export async function openModel(name: string, options: OpenOptions = {}): Promise<Model> {
  const { onMessage = () => {} } = options;
  const dtype = options.dtype === 'auto' ? undefined : options.dtype;
  const device = await prepareEngine(options);
  const folder = await modelFolder(name, onMessage);
  const tokenizer = existsSync(join(folder, 'tokenizer.json')) ? await Tokenizer.load(folder) : null;
  const readOnly = readOnlyModel(name, folder, { ...options, dtype, device });
  if (readOnly) {
    for (const remark of readOnly.config.remarks ?? []) onMessage(`${join(folder, CONFIG_FILE)}: ${remark}`);
    return new Model(name, folder, readOnly, tokenizer);
  }
  let lm = loadModel(folder, { dtype, device });
  for (const remark of lm.config.remarks ?? []) onMessage(`${join(folder, CONFIG_FILE)}: ${remark}`);
  const usable = usableDType(lm.dtype, device);
  if (usable !== lm.dtype) {
    onMessage(`${name}: ${lm.dtype} cannot be computed with on ${device} here; using ${usable}`);
    lm.dispose();
    lm = loadModel(folder, { dtype: usable, device });
  }
  return new Model(name, folder, lm, tokenizer);
}

/** Null where the weights are to be loaded as those of a model that can be trained. */
function readOnlyModel(
  name: string,
  folder: string,
  { weights, readOnly = false, dtype, device, onLoad }: OpenOptions & { device: string },
): LoopLM | null {
  const loaded = (): LoopLM => loadReadOnly(folder, { format: weights, onLoad });
  if (weights !== undefined) {
    if (device !== 'cpu') throw new UserError(`${name}: weights as ${weights} are for the CPU, not for ${device}`);
    if (dtype !== undefined) throw new UserError(`${name}: give either a dtype or the format of the weights`);
    return loaded();
  }
  if (!readOnly || device !== 'cpu' || dtype === 'float32' || dtype === 'float16') return null;
  if (!existsSync(join(folder, CONFIG_FILE)) || !isReadableInPlace(folder)) return null;
  return loaded();
}
