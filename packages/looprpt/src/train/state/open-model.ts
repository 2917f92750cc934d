/** A model opened for reading: its folder, its weights on a device, its tokenizer. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../base/user-error.js';
import { loadMapped } from '../../checkpoint/load-mapped.js';
import { loadModel, type OnLoad } from '../../checkpoint/load-model.js';
import { loadReadOnly } from '../../checkpoint/load-read-only.js';
import { CONFIG_FILE } from '../../checkpoint/stored-model.js';
import type { LoopLMConfig } from '../../model/config.js';
import type { LoopLM } from '../../model/loop-lm.js';
import { Tokenizer } from '../../text/tokenizer.js';
import { type PlannedModel, type PlanOptions, planModel } from './planned-model.js';
import { isCopied } from './room.js';

/** Of cache and passes, where nobody says. */
const BESIDE_BYTES = 1e9;

/** How models are opened: where, in which numbers, with how many threads, and who is told. */
export interface OpenOptions extends PlanOptions {
  /** Told what the weights will take before they are read; what it throws ends the opening. */
  onPlan?: ((planned: PlannedModel) => void) | undefined;
  /** Bytes that will be taken beside weights that are only read, which decides where those are; asked after `onPlan`. */
  beside?: (() => number) | undefined;
  /** Told of bytes of weights that were read, and of all. */
  onLoad?: OnLoad | undefined;
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
  const planned = await planModel(name, options);
  options.onPlan?.(planned);
  return openPlanned(planned, options);
}

/** The same for a model that was found. @param tokenizer where that is open already */
export async function openPlanned(
  planned: PlannedModel,
  { onLoad, beside = () => BESIDE_BYTES, onMessage = () => {} }: Pick<OpenOptions, 'onLoad' | 'beside' | 'onMessage'>,
  tokenizer?: Tokenizer | null,
): Promise<Model> {
  const { name, folder } = planned;
  const read = tokenizer ?? (await tokenizerIn(folder));
  const lm = load(planned, onLoad, beside);
  for (const remark of lm.config.remarks ?? []) onMessage(`${join(folder, CONFIG_FILE)}: ${remark}`);
  return new Model(name, folder, lm, read);
}

/** Null where the folder has none. */
export async function tokenizerIn(folder: string): Promise<Tokenizer | null> {
  return existsSync(join(folder, 'tokenizer.json')) ? Tokenizer.load(folder) : null;
}

function load(planned: PlannedModel, onLoad: OnLoad | undefined, beside: () => number): LoopLM {
  const { folder, device, way } = planned;
  if (way.way === 'read-only')
    return loadReadOnly(folder, { format: way.format, largePages: isCopied(planned, beside()), onLoad });
  const { dtype } = way;
  return way.way === 'mapped' ? loadMapped(folder, { dtype, onLoad }) : loadModel(folder, { dtype, device, onLoad });
}
