import { liveTensors } from '@looprpt/engine';
import { describe, expect, it } from 'vitest';
import { collectGarbage } from '../../../../engine/test-support/collect-garbage.js';
import { localDecoder } from '../../../test-support/serve/local-decoder.js';
import { tinyModelFolder } from '../../../test-support/serve/tiny-folder.js';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { servedModelConfig } from '../settings.js';
import { choiceSeed } from './choice-seed.js';
import { requestRule, type Served } from './served.js';

describe('a model for serving', () => {
  it('gets a cache that holds what was asked for, or half of all texts', async () => {
    const model = await tinyModelFolder(temporaryFolder().path);
    await collectGarbage();
    const before = liveTensors();
    const tokens = async (options: object): Promise<number> => {
      const { client, close } = await localDecoder({ model, maxLength: 64, maxBatch: 8, ...options });
      const { cacheTokens } = await client.loaded;
      close();
      return cacheTokens;
    };
    expect(await tokens({})).toBe(256);
    expect(await tokens({ cacheTokens: 100 })).toBe(112);
    expect(await tokens({ cache: { decode: 'last' }, cacheTokens: 500 })).toBe(512);
    expect(liveTensors()).toBe(before);
  });

  it('refuses settings that cannot be served', async () => {
    const model = await tinyModelFolder(temporaryFolder().path);
    await expect(localDecoder({ model, cacheTokens: 64 })).rejects.toThrow(
      /^a cache of 64 tokens cannot hold one text of 2048/,
    );
    await expect(localDecoder({ model, maxLoops: 9 })).rejects.toThrow(/^max loops: 9 /);
    expect(() => servedModelConfig.parse({ model, maxLoop: 1 })).toThrow(/maxLoop/);
  });
});

describe('the exit rule of a request', () => {
  const served = (defaults: object) =>
    ({ model: { config: { loops: 4, exitThreshold: 0.8, exitLoop: null } }, defaults }) as unknown as Served;

  it('takes what the request says, then what the server says, then what the model says', () => {
    expect(requestRule(served({}), {})).toEqual({ rule: 'gate', threshold: 0.8 });
    expect(requestRule(served({ threshold: 0.5 }), {})).toEqual({ rule: 'gate', threshold: 0.5 });
    expect(requestRule(served({ threshold: 0.5 }), { threshold: 0.1, maxLoops: 2 })).toEqual({
      rule: 'gate',
      threshold: 0.1,
      maxLoops: 2,
    });
    expect(requestRule(served({ maxLoops: 3 }), {})).toEqual({ rule: 'loops', loops: 3 });
    expect(requestRule(served({ maxLoops: 3 }), { threshold: 0.1 })).toEqual({
      rule: 'gate',
      threshold: 0.1,
      maxLoops: 3,
    });
    expect(requestRule(served({}), { maxLoops: 2 })).toEqual({ rule: 'loops', loops: 2 });
    expect(requestRule(served({ maxLoops: 3 }), { rule: 'loops' })).toEqual({ rule: 'loops', loops: 3 });
    expect(requestRule(served({ threshold: 0.5 }), { rule: 'loops' })).toEqual({ rule: 'loops', loops: 4 });
    expect(requestRule(served({}), { rule: 'hidden-change', threshold: 0.1 })).toEqual({
      rule: 'hidden-change',
      threshold: 0.1,
    });
    expect(requestRule(served({ maxLoops: 3 }), { rule: 'confidence', threshold: 0.1 })).toEqual({
      rule: 'confidence',
      threshold: 0.1,
      maxLoops: 3,
    });
    // The server's threshold is the gate's.
    expect(() => requestRule(served({ threshold: 0.5 }), { rule: 'entropy' })).toThrow(
      /"entropy" needs an exit_threshold/,
    );
  });
});

it('choices have different seeds, the first the request’s own', () => {
  const seeds = Array.from({ length: 50 }, (_, choice) => choiceSeed(7, choice));
  expect(seeds[0]).toBe(7);
  expect(new Set(seeds).size).toBe(50);
  expect(seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0)).toBe(true);
  expect(choiceSeed(7, 3)).toBe(seeds[3]);
});
