/** A model opened for reading: its folder, its weights on a device, its tokenizer. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ModelDType } from '../../base/dtypes.js';
import { loadModel } from '../../checkpoint/load-model.js';
import { CONFIG_FILE } from '../../checkpoint/stored-model.js';
import type { LoopLM } from '../../model/loop-lm.js';
import { usableDType } from '../../model/usable-dtype.js';
import { Tokenizer } from '../../text/tokenizer.js';
import { modelFolder } from './model-folder.js';

export interface OpenOptions {
  device: string;
  dtype?: ModelDType | undefined;
  say: (line: string) => void;
}

export interface OpenedModel extends Disposable {
  /** As the user named it. */
  name: string;
  folder: string;
  model: LoopLM;
}

/** @param name a model folder, a Hub id or a run folder */
export async function openModel(name: string, { device, dtype, say }: OpenOptions): Promise<OpenedModel> {
  const folder = await modelFolder(name, say);
  let model = loadModel(folder, { dtype, device });
  for (const remark of model.config.remarks ?? []) say(`${join(folder, CONFIG_FILE)}: ${remark}`);
  const usable = usableDType(model.dtype, device);
  if (usable !== model.dtype) {
    say(`${name}: ${model.dtype} cannot be computed with on ${device} here; using ${usable}`);
    model.dispose();
    model = loadModel(folder, { dtype: usable, device });
  }
  return { name, folder, model, [Symbol.dispose]: () => model.dispose() };
}

/** The folder's tokenizer; null where it has none, as a bare set of weights. */
export async function tokenizerIfAny(folder: string): Promise<Tokenizer | null> {
  return existsSync(join(folder, 'tokenizer.json')) ? Tokenizer.load(folder) : null;
}
