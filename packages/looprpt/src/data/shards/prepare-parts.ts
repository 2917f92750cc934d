/**
 * `data prepare --hold-out`: the same documents read twice, into shards to train on and shards to judge by. Both folders appear, or
 * neither does.
 */
import { rm } from 'node:fs/promises';
import { UserError } from '../../base/user-error.js';
import { assertFree } from '../../base/whole-folder.js';
import type { Documents } from '../documents/document.js';
import { documentsOf, PARTS, type Part } from '../documents/hold-out.js';
import type { Manifest } from './manifest.js';
import { type PrepareOptions, prepareShards } from './prepare.js';

export interface PreparePartsOptions
  extends Omit<PrepareOptions, 'documents' | 'split' | 'skippedRecords' | 'onProgress'> {
  /** Opens the documents for one pass; called once a part. */
  open: (part: Part) => Documents;
  /** Share of the documents that is held out, between 0 and 1. */
  share: number;
  skippedRecords?: ((part: Part) => number) | undefined;
  onProgress?: ((part: Part, done: { documents: number; tokens: number }) => void) | undefined;
}

/** Where the held-out part of shards at `out` lies. */
export function heldOutFolder(out: string): string {
  return `${out.replace(/[/\\]+$/, '')}-heldout`;
}

/** @throws UserError when a folder is taken, the input holds no text, or the share leaves nothing to train on or to judge by */
export async function prepareParts(options: PreparePartsOptions): Promise<Record<Part, Manifest>> {
  const { open, share, out, source, skippedRecords, onProgress, ...rest } = options;
  const folders = { train: out, heldout: heldOutFolder(out) };
  for (const part of PARTS) await assertFree(folders[part]);
  const seen = { train: 0, heldout: 0 };
  const prepare = (part: Part): Promise<Manifest> =>
    prepareShards({
      ...rest,
      documents: counted(documentsOf(part, share, open(part)), () => seen[part]++),
      out: folders[part],
      source,
      split: part,
      skippedRecords: () => skippedRecords?.(part) ?? 0,
      onProgress: (done) => onProgress?.(part, done),
    }).catch((error) => {
      if (seen[part] > 0 || !(error instanceof UserError)) throw error;
      const what = part === 'heldout' ? 'to judge by' : 'to train on';
      throw new UserError(`${source}: holding out ${percent(share)} leaves no document ${what}; ${error.message}`);
    });
  const heldout = await prepare('heldout');
  try {
    return { heldout, train: await prepare('train') };
  } catch (error) {
    await rm(folders.heldout, { recursive: true, force: true });
    throw error;
  }
}

const percent = (share: number): string => `${Number((100 * share).toPrecision(3))} %`;

async function* counted<T>(items: AsyncIterable<T>, count: () => void): AsyncGenerator<T> {
  for await (const item of items) {
    count();
    yield item;
  }
}
