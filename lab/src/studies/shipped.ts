/** Bases that are committed: the package's own, and the laboratory's. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from 'looprpt/internal/base/user-error.js';
import { type BaseOf, digest } from './unit.js';

const FOLDERS = ['../../models', '../../../packages/looprpt/models'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

/** @throws UserError when there is none of that name */
export function shippedModel(name: string): string {
  const folder = FOLDERS.map((models) => join(models, name)).find((path) => existsSync(join(path, 'config.json')));
  if (folder === undefined) throw new UserError(`${name}: no model ships under this name`);
  return folder;
}

export function shippedBase(name: string): BaseOf {
  return { shipped: name, weights: digest(readFileSync(join(shippedModel(name), 'model.safetensors'))) };
}
