/**
 * Where a model is, given a folder or an id on the Hugging Face Hub.
 *
 * The environment is read as Python's `huggingface_hub` does (`hub-access.ts`). The Hub is asked which commit a branch or tag is; without
 * network the cached one serves.
 */
import { existsSync, statSync } from 'node:fs';
import { HubApiError } from '@huggingface/hub';
import { UserError } from '../base/user-error.js';

import { type Hub, hubFromEnvironment, isOffline } from './hub-access.js';
import { isCommit } from './hub-cache.js';
import { cachedModel, downloadModel } from './hub-download.js';
import { hubFault, networkFault } from './hub-fault.js';
import { shippedModel } from './shipped.js';

export interface ResolveOptions {
  /** Told of each file of a download, before it begins. */
  onFile?: (file: { name: string; bytes: number }) => void;
  /** Whether the weights are needed (default true); without them configuration and tokenizer are fetched. */
  weights?: boolean | undefined;
}

/**
 * The folder of a model: `idOrPath` itself where it is a folder, that of a model that comes with this package, else that of the Hub's model `owner/name` or
 * `owner/name@revision` (branch, tag or commit; default `main`) in the Hub's cache, downloaded if need be.
 * @throws UserError when there is no such folder or model, it is gated, or the network fails and the cache has no copy
 */
export async function resolveModel(
  idOrPath: string,
  { onFile = () => undefined, weights = true }: ResolveOptions = {},
): Promise<string> {
  if (existsSync(idOrPath)) {
    if (statSync(idOrPath).isDirectory()) return idOrPath;
    throw new UserError(`${idOrPath}: not a folder; a model is a folder with config.json and safetensors`);
  }
  const shipped = shippedModel(idOrPath);
  if (shipped !== undefined) return shipped;
  const { name, revision } = parseId(idOrPath);
  const cached = cachedModel(name, revision, weights);
  if (cached !== null && (isCommit(revision) || isOffline())) return cached;
  if (isOffline())
    throw new UserError(`${idOrPath}: not in the Hub's cache, and HF_HUB_OFFLINE forbids to download it`);
  const hub = hubFromEnvironment();
  try {
    return await downloadModel(name, revision, hub, { onFile, weights });
  } catch (error) {
    if (error instanceof UserError) throw error;
    const refused = error instanceof HubApiError && error.statusCode < 500;
    if (cached !== null && !refused) return cached;
    throw new UserError(`${idOrPath}: ${explain(error, name, hub)}`);
  }
}

function parseId(id: string): { name: string; revision: string } {
  const part = '[A-Za-z0-9_][A-Za-z0-9_.-]*';
  const match = new RegExp(`^(${part}/${part})(?:@(${part}(?:/${part})*))?$`).exec(id);
  if (!match)
    throw new UserError(`${id}: no such folder, and not the id of a model on the Hub (owner/name[@revision])`);
  return { name: match[1]!, revision: match[2] ?? 'main' };
}

/** Why a model does not come from the Hub. */
function explain(error: unknown, name: string, hub: Hub): string {
  if (!(error instanceof HubApiError))
    return `no such folder, not in the Hub's cache, and the download from ${hub.url} failed (${networkFault(error)})`;
  if (error.statusCode === 401)
    return `no such folder, and ${hub.url} shows no such model to ${hub.isKnown ? 'the owner of this token' : 'the public; if it is private or gated, set HF_TOKEN'}`;
  if (error.statusCode === 404) return `no such folder, and no such model or revision on ${hub.url}`;
  return hubFault(error, name, hub);
}
