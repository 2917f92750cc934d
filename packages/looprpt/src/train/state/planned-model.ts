/** A model found by its name and not opened: where its files are, how its weights will be held, and what that takes. */
import type { DType } from '@looprpt/engine';
import { type ModelDType, WEIGHT_FORMATS, type WeightFormat } from '../../base/dtypes.js';
import { prepareEngine } from '../../base/prepare-engine.js';
import { UserError } from '../../base/user-error.js';
import { storedDType } from '../../checkpoint/load-model.js';
import { isReadableInPlace } from '../../checkpoint/load-read-only.js';
import { planWeights, type WeightsPlan, type WeightsWay } from '../../checkpoint/weights-plan.js';
import type { HeldWeights } from '../../decode/decoder-memory.js';
import { usableDType } from '../../model/usable-dtype.js';
import { modelFolder } from './model-folder.js';

/** How models are opened: where, in which numbers, with how many threads. */
export interface PlanOptions {
  /** `cpu`, `cuda` or `cuda:N`; default: CUDA when there is one. */
  device?: string | undefined;
  /** Of weights and activations; `auto`, the default: the model's own where the device can compute with it, else float32. */
  dtype?: ModelDType | 'auto' | undefined;
  /** CPU threads of this process; default: `OMP_NUM_THREADS`, else one for each physical core. */
  threads?: number | undefined;
  /**
   * The weights will only be read. On the CPU they then stay in the mapped file as far as it has them as the model does; bfloat16 is
   * read where it lies, beside float32 activations, and `weights` may name another format.
   */
  readOnly?: boolean | undefined;
  /** In which numbers matrices are held; default: as stored. With `readOnly`, on the CPU. */
  weights?: WeightFormat | undefined;
  /** Told in a sentence of downloads, damaged checkpoints, settings without effect and a dtype that this machine cannot compute with. */
  onMessage?: ((line: string) => void) | undefined;
}

export interface PlannedModel {
  /** As it was asked for. */
  name: string;
  /** Where its files are. */
  folder: string;
  device: string;
  way: WeightsWay;
  weights: WeightsPlan;
}

/** @throws UserError as `openModel`, as far as headers of files can tell */
export async function planModel(name: string, options: PlanOptions): Promise<PlannedModel> {
  const device = await prepareEngine(options);
  const folder = await modelFolder(name, options.onMessage ?? (() => {}));
  const way = wayOf(name, folder, { ...options, device });
  return { name, folder, device, way, weights: planWeights(folder, way) };
}

/** What a decoder or a pass needs to know of the weights. */
export function heldWeights({ device, way, weights }: Pick<PlannedModel, 'device' | 'way' | 'weights'>): HeldWeights {
  const isStored = way.way === 'read-only';
  return { config: weights.config, device, isStored, dtype: isStored ? 'float32' : way.dtype };
}

function wayOf(name: string, folder: string, options: PlanOptions & { device: string }): WeightsWay {
  const { weights, readOnly = false, device, onMessage = () => {} } = options;
  const dtype = options.dtype === 'auto' ? undefined : options.dtype;
  if (weights !== undefined) {
    if (device !== 'cpu') throw new UserError(`${name}: weights as ${weights} are for the CPU, not for ${device}`);
    if (dtype !== undefined) throw new UserError(`${name}: give either a dtype or the format of the weights`);
    return { way: 'read-only', format: weights };
  }
  const isRead = readOnly && device === 'cpu';
  if (isRead && (dtype === undefined || isFormat(dtype)) && isReadableInPlace(folder)) return { way: 'read-only' };
  const own = dtype ?? storedDType(folder);
  const usable: DType = usableDType(own, device);
  if (usable !== own) onMessage(`${name}: ${own} cannot be computed with on ${device} here; using ${usable}`);
  return { way: isRead ? 'mapped' : 'copied', dtype: usable };
}

const isFormat = (dtype: ModelDType): boolean => (WEIGHT_FORMATS as readonly string[]).includes(dtype);
