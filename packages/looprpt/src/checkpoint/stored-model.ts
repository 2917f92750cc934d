/**
 * The tensors of a checkpoint folder by name, whether they stand in `model.safetensors` or in shards that
 * `model.safetensors.index.json` lists. What comes out agrees with itself: every listed file is there, inside the folder,
 * and holds exactly the tensors that the index says.
 */
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { elementBytes, type Tensor } from '@looprpt/engine';
import { z } from 'zod';
import { UserError } from '../base/user-error.js';
import { parseJson } from '../text/tokenizer-config.js';
import type { StoredTensor } from './safetensors/format.js';
import { quoted } from './safetensors/header.js';
import { SafetensorsFile } from './safetensors/read.js';
import { duplicateKey } from './safetensors/unique-keys.js';

export const CONFIG_FILE = 'config.json';
export const WEIGHTS_FILE = 'model.safetensors';
export const INDEX_FILE = 'model.safetensors.index.json';

/** One tensor of a checkpoint; `load` gives it without reading it. */
export interface CheckpointTensor extends StoredTensor {
  path: string;
  load: () => Tensor;
  /** Calls `use` with it and lets its pages go: for what is looked through once and hardly read afterwards. */
  visit: <T>(use: (tensor: Tensor) => T) => T;
}

export class StoredModel implements Disposable {
  readonly #files: SafetensorsFile[] = [];
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;

  /** @throws UserError when there are no weights, or they are malformed */
  constructor(dir: string) {
    const weights = join(dir, WEIGHTS_FILE);
    const index = join(dir, INDEX_FILE);
    try {
      if (existsSync(weights)) this.tensors = this.#open([weights]);
      else if (existsSync(index)) this.tensors = this.#openShards(dir, index);
      else throw new UserError(`${dir}: no ${WEIGHTS_FILE} and no ${INDEX_FILE} in this folder`);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Tensors that `follow` each other as one, their rows below each other, without a copy. */
  joined(parts: readonly CheckpointTensor[]): Tensor {
    const [first] = parts as [CheckpointTensor];
    const rows = parts.reduce((sum, { shape }) => sum + shape[0]!, 0);
    const byteLength = parts.reduce((sum, part) => sum + part.byteLength, 0);
    const file = this.#files.find(({ path }) => path === first.path)!;
    return file.load({ ...first, shape: [rows, ...first.shape.slice(1)], byteLength });
  }

  close(): void {
    for (const file of this.#files) file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #open(paths: readonly string[]): Map<string, CheckpointTensor> {
    const found = new Map<string, CheckpointTensor>();
    for (const path of paths) {
      const file = new SafetensorsFile(path);
      this.#files.push(file);
      for (const stored of file.tensors) {
        const other = found.get(stored.name);
        if (other) throw new UserError(`${path}: tensor ${quoted(stored.name)} stands in ${basename(other.path)} too`);
        found.set(stored.name, {
          ...stored,
          path,
          load: () => file.load(stored),
          visit: (use) => file.visit(stored, use),
        });
      }
    }
    return found;
  }

  #openShards(dir: string, index: string): Map<string, CheckpointTensor> {
    const weightMap = readShardIndex(index);
    const paths = new Map<string, string>();
    for (const [, shard] of weightMap) if (!paths.has(shard)) paths.set(shard, shardPath(dir, shard, index));
    const found = this.#open([...paths.values()]);
    for (const [name, shard] of weightMap) {
      const tensor = found.get(name);
      if (tensor?.path !== paths.get(shard)) {
        const where = tensor ? `it is in ${basename(tensor.path)}` : 'it is not there';
        throw new UserError(`${index}: weight_map: tensor ${quoted(name)} should be in ${quoted(shard)}, but ${where}`);
      }
    }
    for (const [name, { path }] of found)
      if (!weightMap.has(name)) throw new UserError(`${path}: tensor ${quoted(name)} is missing in ${INDEX_FILE}`);
    return found;
  }
}

/** Whether tensors stand one behind the other in one file, in one dtype, where that can be read as it lies. */
export function follow(parts: readonly CheckpointTensor[]): boolean {
  const [first] = parts as [CheckpointTensor];
  let end = first.byteOffset;
  if (end % elementBytes(first.dtype) !== 0) return false;
  return parts.every(({ path, dtype, byteOffset, byteLength }) => {
    const isNext = path === first.path && dtype === first.dtype && byteOffset === end;
    end += byteLength;
    return isNext;
  });
}

const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) });

/** The `weight_map` of an index: tensor name → shard's file name. */
export function readShardIndex(path: string): ReadonlyMap<string, string> {
  const text = readFileSync(path, 'utf8');
  const parsed = indexSchema.safeParse(parseJson(path, text));
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new UserError(`${path}: ${issue.path.join('.') || 'top level'}: ${issue.message}`);
  }
  const duplicate = duplicateKey(text);
  if (duplicate !== null) throw new UserError(`${path}: the key ${quoted(duplicate)} stands there twice`);
  return new Map(Object.entries(parsed.data.weight_map));
}

/**
 * Where a shard is. Its name comes from a file that may have been downloaded, so it must not lead out of the folder, by
 * itself or through a link. In the Hub's cache the files of a snapshot are links into the repository's `blobs`.
 */
function shardPath(dir: string, shard: string, index: string): string {
  const fail = (message: string): never => {
    throw new UserError(`${index}: weight_map: shard ${quoted(shard)} ${message}`);
  };
  const path = join(dir, shard);
  if (isAbsolute(shard) || shard.includes('\0') || !isWithin(dir, path)) fail('leaves the folder');
  // Of a name that no file system takes, the first says that it is not there, the second would throw.
  const found = existsSync(path) ? statSync(path) : undefined;
  if (!found) fail('is missing');
  if (!found?.isFile()) fail('is not a file');
  const real = realpathSync(path);
  const folder = realpathSync(dir);
  const blobs = basename(dirname(folder)) === 'snapshots' ? [join(dirname(dirname(folder)), 'blobs')] : [];
  if (![folder, ...blobs].some((root) => isWithin(root, real))) fail('is a link that leaves the folder');
  return path;
}

function isWithin(root: string, path: string): boolean {
  const way = relative(resolve(root), resolve(path));
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
