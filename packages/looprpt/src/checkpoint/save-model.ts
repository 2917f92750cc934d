/**
 * Saves a LoopLM as a Hugging Face folder: `config.json`, safetensors (whole, or shards with an index), tokenizer files.
 *
 * `config.json` names upstream's modelling code (`auto_map`), which is not ours and is not written: to load a folder with
 * transformers and `trust_remote_code`, copy `configuration_ouro.py` and `modeling_ouro.py` into it.
 */

import { existsSync, statSync, writeFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DType } from '@looprpt/engine';
import { writeWholeFolder } from '../data/shards/whole-folder.js';
import { toOuroConfig } from '../model/config.js';
import type { LoopLM } from '../model/loop-lm.js';
import { upstreamTensors } from '../model/weights.js';
import { UserError } from '../user-error.js';
import { storedBytes, type TensorToWrite, writeSafetensors } from './safetensors/write.js';
import { CONFIG_FILE, INDEX_FILE, WEIGHTS_FILE } from './stored-model.js';

export interface WriteOptions {
  /** Bytes of weights in one file before another is begun; a larger tensor gets a file of its own. Default 5 GB. */
  shardBytes?: number | undefined;
  /** Default: the model's own. */
  dtype?: DType | undefined;
}

export interface SaveOptions extends WriteOptions {
  /** A folder whose tokenizer files, chat template and generation_config.json are copied. */
  tokenizerFrom?: string | undefined;
}

/** Files that travel with the weights where the source folder has them. */
const COMPANIONS = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'chat_template.jinja',
  'generation_config.json',
];

/**
 * Writes a complete folder, whole or not at all.
 * @param dir must not exist, or be empty
 * @throws UserError when it is taken, or `tokenizerFrom` is not a folder
 */
export async function saveModel(model: LoopLM, dir: string, options: SaveOptions = {}): Promise<void> {
  const { tokenizerFrom } = options;
  if (tokenizerFrom !== undefined && !statSync(tokenizerFrom, { throwIfNoEntry: false })?.isDirectory())
    throw new UserError(`${tokenizerFrom}: no such folder to take the tokenizer from`);
  await writeWholeFolder(dir, async (partial) => {
    writeModelFiles(model, partial, options);
    if (tokenizerFrom !== undefined) await copyCompanions(tokenizerFrom, partial);
  });
}

/** Copies the tokenizer files that `from` has into `to`. */
export async function copyCompanions(from: string, to: string): Promise<void> {
  for (const name of COMPANIONS) if (existsSync(join(from, name))) await copyFile(join(from, name), join(to, name));
}

/**
 * Writes `config.json` and the weights into a folder that exists and that the caller makes whole: each file is on the disk
 * when this returns, the folder itself is not synced.
 */
export function writeModelFiles(model: LoopLM, dir: string, options: WriteOptions = {}): void {
  const { shardBytes = 5e9, dtype = model.dtype } = options;
  const tensors = upstreamTensors(model.config).map(
    ({ name, shape, stored, rows }): TensorToWrite => ({
      name,
      shape,
      dtype,
      values: () => stored(model.weights).slice(0, ...rows),
    }),
  );
  const shards = split(tensors, shardBytes);
  if (shards.length === 1) writeSafetensors(join(dir, WEIGHTS_FILE), tensors);
  else writeShards(dir, shards);
  writeJson(join(dir, CONFIG_FILE), toOuroConfig(model.config, dtype));
}

function split(tensors: readonly TensorToWrite[], limit: number): TensorToWrite[][] {
  const shards: TensorToWrite[][] = [];
  let room = -1;
  for (const tensor of tensors) {
    const bytes = storedBytes(tensor);
    if (bytes > room) {
      shards.push([]);
      room = limit;
    }
    shards.at(-1)!.push(tensor);
    room -= bytes;
  }
  return shards;
}

function writeShards(dir: string, shards: readonly (readonly TensorToWrite[])[]): void {
  const number = (n: number): string => String(n).padStart(5, '0');
  const weightMap: Record<string, string> = {};
  let total = 0;
  shards.forEach((tensors, i) => {
    const file = `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`;
    writeSafetensors(join(dir, file), tensors);
    for (const tensor of tensors) {
      weightMap[tensor.name] = file;
      total += storedBytes(tensor);
    }
  });
  writeJson(join(dir, INDEX_FILE), { metadata: { total_size: total }, weight_map: weightMap });
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`, { flush: true });
}
