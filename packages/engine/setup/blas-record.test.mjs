import { symlinkSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { prepareBlas, readRecord, recordOf, stillHolds, writeRecord } from './blas-record.mjs';
import { temporaryFolder, write } from './fake-libtorch.mjs';

/** @type {import('./index.mjs').BlasFit} */
const chosen = {
  verdict: 'chosen',
  core: 'Haswell',
  setting: 'Haswell',
  gflops: 60,
  before: { core: 'Prescott', gflops: 9 },
};

function machine() {
  const libDir = temporaryFolder();
  const library = path.join(libDir, 'openblas/libblas.so.3');
  write(library, 'one');
  symlinkSync(library, path.join(libDir, 'libblas.so.3'));
  const buildDir = temporaryFolder();
  const prepared = (/** @type {NodeJS.ProcessEnv} */ env) => {
    prepareBlas(buildDir, env);
    return env.OPENBLAS_CORETYPE;
  };
  return { libDir, library, buildDir, prepared };
}

test('the recorded core stands in the environment before the library is loaded', () => {
  const { libDir, buildDir, prepared } = machine();
  expect(prepared({})).toBeUndefined();
  const record = recordOf(libDir, {}, chosen);
  writeRecord(buildDir, record);
  expect(readRecord(buildDir)).toEqual(record);
  expect(prepared({})).toBe('Haswell');
  // which does not make the record another's, in this process or its children
  expect(stillHolds(record, libDir, { OPENBLAS_CORETYPE: 'Haswell' })).toBe(true);
  writeRecord(buildDir, recordOf(libDir, {}, { ...chosen, verdict: 'fits', setting: null }));
  expect(prepared({})).toBeUndefined();
});

test("the user's own core stays, and is another record's", () => {
  const { libDir, buildDir, prepared } = machine();
  writeRecord(buildDir, recordOf(libDir, {}, chosen));
  expect(prepared({ OPENBLAS_CORETYPE: 'Zen' })).toBe('Zen');
  expect(stillHolds(recordOf(libDir, {}, chosen), libDir, { OPENBLAS_CORETYPE: 'Zen' })).toBe(false);
  expect(stillHolds(recordOf(libDir, {}, chosen), libDir, { OPENBLAS_L2_SIZE: '1' })).toBe(false);
});

test('another library, another processor, a damaged file: nothing is set', () => {
  const { libDir, library, buildDir, prepared } = machine();
  writeRecord(buildDir, { ...recordOf(libDir, {}, chosen), processor: 'another' });
  expect(prepared({})).toBeUndefined();
  writeRecord(buildDir, recordOf(libDir, {}, chosen));
  write(library, 'a newer one');
  expect(prepared({})).toBeUndefined();
  write(path.join(buildDir, 'blas.json'), '{');
  expect(prepared({})).toBeUndefined();
});
