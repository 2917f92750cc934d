import { describe, expect, it } from 'vitest';
import { runConfigSchema } from './run-config.js';

const memoryOf = (memory: object | undefined) =>
  runConfigSchema.parse({
    model: { from: 'm' },
    data: { shards: 's' },
    objective: { kind: 'stage1' },
    out: 'o',
    steps: 1,
    ...(memory && { memory }),
  }).memory;

describe('memory', () => {
  it('is read under the name of earlier versions too, and written under its own', () => {
    expect(memoryOf(undefined)).toEqual({ recomputeLoops: false });
    for (const on of [false, true]) {
      expect(memoryOf({ recomputeLoops: on })).toEqual({ recomputeLoops: on });
      expect(memoryOf({ checkpointLoops: on })).toEqual({ recomputeLoops: on });
    }
  });

  it('refuses both names at once', () => {
    expect(() => memoryOf({ recomputeLoops: true, checkpointLoops: false })).toThrow('give recomputeLoops alone');
  });
});
