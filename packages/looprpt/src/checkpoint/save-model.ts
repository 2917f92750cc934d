/**
 * Saves a LoopLM as a Hugging Face folder: `config.json`, safetensors (whole, or shards with an index), tokenizer files.
 *
 * Upstream's modelling code is not ours: where the source folder has the files that its `auto_map` names, they are copied and named
 * again; else `config.json` has no `auto_map`, because transformers would ask to run files that are not there.
 */

import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DType } from '@looprpt/engine';
import { z } from 'zod';
import { UserError } from '../base/user-error.js';
import { writeWholeFolder } from '../base/whole-folder.js';
import { toOuroConfig } from '../model/config.js';
import type { LoopLM } from '../model/loop-lm.js';
import { upstreamTensors } from '../model/weights.js';
import { parseJson } from '../text/tokenizer-config.js';
import { storedBytes, type TensorToWrite, writeSafetensors } from './safetensors/write.js';
import { CONFIG_FILE, INDEX_FILE, WEIGHTS_FILE } from './stored-model.js';

export interface WriteOptions {
  /** Bytes of weights in one file before another is begun; a larger tensor gets a file of its own. Default 5 GB. */
  shardBytes?: number | undefined;
  /** Default: the model's own. */
  dtype?: DType | undefined;
  /** The modelling code that the configuration's `auto_map` names is written beside it; default false. */
  withCode?: boolean | undefined;
}

export interface SaveOptions extends WriteOptions {
  /** A folder whose tokenizer files, chat template, generation_config.json and modelling code are copied. */
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
    writeModelFiles(model, partial, {
      ...options,
      withCode: tokenizerFrom !== undefined && codeIn(tokenizerFrom).length > 0,
    });
    if (tokenizerFrom !== undefined) await copyCompanions(tokenizerFrom, partial);
  });
}

/** The names of the files in `folder` that travel with a model: tokenizer, chat template, generation settings, modelling code. */
export function companionsIn(folder: string): string[] {
  return [...COMPANIONS.filter((name) => existsSync(join(folder, name))), ...codeIn(folder)];
}

const withAutoMap = z.looseObject({ auto_map: z.record(z.string(), z.unknown()) });

/** The Python files that the folder's `auto_map` names; none unless all of them are there. */
export function codeIn(folder: string): string[] {
  const path = join(folder, CONFIG_FILE);
  if (!existsSync(path)) return [];
  const parsed = withAutoMap.safeParse(parseJson(path, readFileSync(path, 'utf8')));
  if (!parsed.success) return [];
  const modules = Object.values(parsed.data.auto_map).flatMap((named) =>
    typeof named === 'string' && /^[A-Za-z_]\w*\.\w+$/.test(named) ? [`${named.split('.')[0]}.py`] : [],
  );
  const names = [...new Set(modules)].sort();
  return names.every((name) => existsSync(join(folder, name))) ? names : [];
}

async function copyCompanions(from: string, to: string): Promise<void> {
  for (const name of companionsIn(from)) await copyFile(join(from, name), join(to, name));
}

/** The files of a model: weights by file, and texts. */
export interface ModelFiles {
  weights: { name: string; tensors: TensorToWrite[] }[];
  texts: { name: string; text: string }[];
}

/** What `config.json` and the weights of a model's folder hold; nothing is copied or written before it is asked for. */
export function modelFiles(model: LoopLM, options: WriteOptions = {}): ModelFiles {
  const { shardBytes = 5e9, dtype = model.dtype, withCode } = options;
  const tensors = upstreamTensors(model.config).map(
    ({ name, shape, stored, rows }): TensorToWrite => ({
      name,
      shape,
      dtype,
      values: () => stored(model.weights).slice(0, ...rows),
    }),
  );
  const config = { name: CONFIG_FILE, text: json(toOuroConfig(model.config, dtype, { withCode })) };
  const shards = split(tensors, shardBytes);
  if (shards.length === 1) return { weights: [{ name: WEIGHTS_FILE, tensors }], texts: [config] };
  const number = (n: number): string => String(n).padStart(5, '0');
  const weights = shards.map((shard, i) => ({
    name: `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`,
    tensors: shard,
  }));
  const index = {
    metadata: { total_size: tensors.reduce((sum, tensor) => sum + storedBytes(tensor), 0) },
    weight_map: Object.fromEntries(weights.flatMap((file) => file.tensors.map(({ name }) => [name, file.name]))),
  };
  return { weights, texts: [{ name: INDEX_FILE, text: json(index) }, config] };
}

/** Writes a model's files into a folder that the caller makes whole: each is on the disk when this returns, the folder is not synced. */
function writeModelFiles(model: LoopLM, dir: string, options: WriteOptions): void {
  const { weights, texts } = modelFiles(model, options);
  for (const { name, tensors } of weights) writeSafetensors(join(dir, name), tensors);
  for (const { name, text } of texts) writeFileSync(join(dir, name), text, { flush: true });
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

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
