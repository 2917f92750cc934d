import { existsSync, readdirSync, readFileSync, unlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { noGrad, scope, tensor } from '@looprpt/engine';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { paramsBytes } from '../testing/checkpoint-folder.js';
import { type FakeModel, fakeHub } from '../testing/fake-hub.js';
import { configJson, tinyModel } from '../testing/slow/tiny-model.js';
import { temporaryFolder } from '../testing/temporary-folder.js';
import { UserError } from '../user-error.js';
import { loadModel } from './folder.js';
import { resolveModel } from './hub.js';

const commit = 'c0ffee'.padEnd(40, '0');
const name = 'someone/tiny-ouro';
const tiny = tinyModel(1);

function model(): FakeModel {
  const names = Object.keys(tiny.params);
  const half = (first: boolean) =>
    Object.fromEntries(names.flatMap((n, i) => (i < 9 === first ? [[n, tiny.params[n]!] as const] : [])));
  return {
    commit,
    files: {
      'model-1.safetensors': paramsBytes(half(true), 'F32'),
      'model-2.safetensors': paramsBytes(half(false), 'F32'),
      'config.json': JSON.stringify(configJson(tiny.config)),
      'model.safetensors.index.json': JSON.stringify({
        weight_map: Object.fromEntries(names.map((n, i) => [n, `model-${i < 9 ? 1 : 2}.safetensors`])),
      }),
      'tokenizer.json': '{}',
      'chat_template.jinja': '{{ messages }}',
      'README.md': 'not needed',
      'pytorch_model.bin': 'not needed',
    },
  };
}

let cache: string;
beforeEach(() => {
  cache = temporaryFolderPath();
  vi.stubEnv('HF_HUB_CACHE', cache);
  vi.stubEnv('HF_TOKEN', '');
  vi.stubEnv('HF_HUB_OFFLINE', '');
});
afterEach(() => vi.unstubAllEnvs());

function useHub(url: string): void {
  vi.stubEnv('HF_ENDPOINT', url);
}

/** The one line of a refusal. */
async function refusal(idOrPath: string): Promise<string> {
  const error: unknown = await resolveModel(idOrPath).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(UserError);
  const { message } = error as UserError;
  expect(message).not.toContain('\n');
  return message;
}
