import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import { deviceOf } from '../base/prepare-engine.js';
import { assign, assigned } from '../base/settings/assign.js';
import { readSettings } from '../base/settings/config-file.js';
import { edits, nearest } from '../base/settings/nearest.js';
import { defaultThreads, prepareThreads, threadsAmong } from '../base/threads.js';
import { UserError } from '../base/user-error.js';

describe('--set', () => {
  it('puts YAML values into nested settings', () => {
    expect(assigned(['a=1', 'b.c.d=[1, x]', 'b.c.e=true', 'f=', 'g=a=b', 'h="1"', 'i=1e-3'])).toEqual({
      a: 1,
      b: { c: { d: [1, 'x'], e: true } },
      f: null,
      g: 'a=b',
      h: '1',
      i: 0.001,
    });
  });

  it('reaches into lists and replaces nulls', () => {
    const settings = { list: [{ weight: 1 }, { weight: 2 }], nothing: null };
    assign(settings, 'list.1.weight=5');
    assign(settings, 'nothing.at=1');
    expect(settings).toEqual({ list: [{ weight: 1 }, { weight: 5 }], nothing: { at: 1 } });
  });

  it.each(['steps', '=3', 'a..b=1', 'a=[1', '.a=1', 'a b=1'])('refuses %j in one line', (assignment) => {
    expect(() => assigned([assignment])).toThrow(UserError);
    expect(() => assigned([assignment])).toThrow(/^--set .*: [^\n]*$/);
  });

  it('refuses a path through a value', () => {
    expect(() => assigned(['a=1', 'a.b=2'])).toThrow("--set a.b=2: 'a' is a value, not a group");
    expect(() => assigned(['a=!!binary ""', 'a.length=2'])).toThrow("'a' is a value, not a group");
  });
});

describe('a configuration file', () => {
  it('may be YAML or JSON, and --set comes after it', () => {
    const folder = temporaryFolder();
    const yaml = folder.write('a.yaml', 'steps: 3 # three\nbatch: { rows: 2 }\n');
    const json = folder.write('a.json', '{"steps": 3, "batch": {"rows": 2}}');
    expect(readSettings(yaml)).toEqual(readSettings(json));
    expect(readSettings(yaml, ['batch.rows=4'])).toEqual({ steps: 3, batch: { rows: 4 } });
  });

  it.each([
    ['a: 1\nb: [1,\nc: 2\n', /a\.yaml:\d+:\d+: not YAML: /],
    ['a: 1\na: 2\n', /a\.yaml:2:1: not YAML: /],
    ['', /a\.yaml: is empty/],
    ['- 1\n', /a\.yaml: must be keys with values/],
    ['!!binary ""\n', /a\.yaml: must be keys with values/],
  ])('%j is refused with the place', (text, message) => {
    const path = temporaryFolder().write('a.yaml', text);
    expect(() => readSettings(path)).toThrow(message);
  });
});

describe('the nearest word', () => {
  const word = fc.string({ maxLength: 6, unit: fc.constantFrom('a', 'b', 'c') });

  /** By definition, without a table. */
  const slowEdits = (a: string, b: string): number => {
    if (a === '' || b === '') return a.length + b.length;
    const [restA, restB] = [a.slice(1), b.slice(1)];
    const replaced = slowEdits(restA, restB) + (a[0] === b[0] ? 0 : 1);
    return Math.min(replaced, slowEdits(restA, b) + 1, slowEdits(a, restB) + 1);
  };

  it('is by the fewest edits', () => {
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(edits(a, b)).toBe(slowEdits(a, b));
      }),
    );
  });

  it('is none when all are far away', () => {
    expect(nearest('stpes', ['steps', 'seed'])).toBe('steps');
    expect(nearest('colour', ['steps', 'seed'])).toBeUndefined();
  });
});

describe('threads', () => {
  const prepared = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv => {
    prepareThreads(environment);
    return environment;
  };

  it('are read from raw arguments, the last one counting', () => {
    expect(threadsAmong(['train', '--threads', '3'])).toBe(3);
    expect(threadsAmong(['train', '--threads=4', '--threads', '5'])).toBe(5);
    expect(threadsAmong(['train'])).toBeUndefined();
    for (const wrong of [['--threads'], ['--threads', 'x'], ['--threads=0'], ['--threads=1.5']])
      expect(threadsAmong(wrong)).toBeUndefined();
  });

  it('stand in the environment for libtorch and for its BLAS', () => {
    const environment: NodeJS.ProcessEnv = { OMP_NUM_THREADS: '3' };
    prepareThreads(environment);
    expect(environment).toEqual({
      OMP_WAIT_POLICY: 'passive',
      GOMP_SPINCOUNT: expect.stringMatching(/^\d+$/),
      OMP_NUM_THREADS: '3',
      OPENBLAS_NUM_THREADS: '3',
      MKL_NUM_THREADS: '3',
    });
    prepareThreads(environment, 2);
    expect(prepared({ OMP_WAIT_POLICY: 'active' })).not.toHaveProperty('GOMP_SPINCOUNT');
    expect(environment).toMatchObject({ OMP_NUM_THREADS: '2', OPENBLAS_NUM_THREADS: '2', MKL_NUM_THREADS: '2' });
  });

  it('are at least one by default', () => {
    expect(defaultThreads({ OMP_NUM_THREADS: '7' })).toBe(7);
    expect(defaultThreads({})).toBeGreaterThanOrEqual(1);
    expect(defaultThreads({ OMP_NUM_THREADS: 'many' })).toBe(defaultThreads({}));
  });
});

test('a device: CUDA when there is one, and only one that is there', () => {
  expect(deviceOf(undefined, 0)).toBe('cpu');
  expect(deviceOf(undefined, 2)).toBe('cuda');
  expect(deviceOf('cuda:1', 2)).toBe('cuda:1');
  expect(() => deviceOf('cuda:2', 2)).toThrow(UserError);
  expect(() => deviceOf('cuda', 0)).toThrow('no CUDA device');
});
