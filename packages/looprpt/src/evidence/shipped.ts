/** Bases that ship with the package. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from '../user-error.js';
import { type BaseOf, digest } from './unit.js';

const MODELS = fileURLToPath(new URL('../../models', import.meta.url));

/** @throws UserError when there is none of that name */
export function shippedModel(name: string): string {
  const folder = join(MODELS, name);
  if (!existsSync(join(folder, 'config.json'))) throw new UserError(`${folder}: no model ships under this name`);
  return folder;
}

export function shippedBase(name: string): BaseOf {
  return { shipped: name, weights: digest(readFileSync(join(shippedModel(name), 'model.safetensors'))) };
}
