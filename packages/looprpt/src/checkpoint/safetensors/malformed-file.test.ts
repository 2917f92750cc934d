import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { safetensorsBytes } from '../../../test-support/checkpoint-folder.js';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { UserError } from '../../base/user-error.js';
import { SafetensorsFile } from './read.js';

const f32 = (begin: number, end: number, shape: unknown = [(end - begin) / 4]) => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});
const data = (bytes: number): Uint8Array => new Uint8Array(bytes);
const huge = 2 ** 53 - 1;

/** What is wrong, the file, and what the one line must say after the file's path. */
const malformed: [string, Uint8Array, string | RegExp][] = [
  ['an empty file', data(0), 'not a safetensors file: 0 bytes'],
  ['a file of 7 bytes', data(7), 'not a safetensors file: 7 bytes'],
  [
    'an absurd header length',
    safetensorsBytes({}, data(0), 2n ** 63n),
    'not a safetensors file: its header would have 9223372036854775808 bytes (at most 100000000 are allowed)',
  ],
  [
    'a header beyond the end',
    safetensorsBytes({}, data(0), 3n),
    'truncated: a header of 3 bytes does not fit in a file of 10',
  ],
  ['a header that is not JSON', safetensorsBytes('{"x":', data(0)), /^its header is not JSON \(.+\)$/],
  ['a header that is not UTF-8', safetensorsBytes({}, data(3), 5n), /^its header is not JSON/],
  ['a header of zeros', safetensorsBytes('\0\0\0\0', data(4)), /^its header is not JSON/],
  ['an empty header', safetensorsBytes('', data(4)), /^its header is not JSON/],
  ['a header that is an array', safetensorsBytes('[]', data(0)), 'its header is not a JSON object'],
  ['a header that is null', safetensorsBytes('null', data(0)), 'its header is not a JSON object'],
  [
    'a name that stands twice',
    safetensorsBytes(`{"x":${JSON.stringify(f32(0, 4))},"\\u0078":${JSON.stringify(f32(0, 4))}}`, data(4)),
    'its header has the key "x" twice',
  ],
  [
    'a key that stands twice in an entry',
    safetensorsBytes('{"x":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}}', data(4)),
    'its header has the key "shape" twice',
  ],
  ['a name with a line break', safetensorsBytes({ 'a\nb': f32(0, 4) }, data(4)), 'tensor "a\\nb": not a sane name'],
  ['an empty name', safetensorsBytes({ '': f32(0, 4) }, data(4)), 'tensor "": not a sane name'],
  [
    'metadata with numbers',
    safetensorsBytes({ __metadata__: { a: 1 } }, data(0)),
    '__metadata__ is not a map of strings',
  ],
  ['an entry that is a number', safetensorsBytes({ x: 3 }, data(0)), /^tensor "x": its entry: Invalid input/],
  [
    'an entry without a shape',
    safetensorsBytes({ x: { dtype: 'F32', data_offsets: [0, 4] } }, data(4)),
    /^tensor "x": shape: /,
  ],
  [
    'an entry with more keys',
    safetensorsBytes({ x: { ...f32(0, 4), y: 1 } }, data(4)),
    /^tensor "x": its entry: Unrecognized key: "y"$/,
  ],
  ['a shape of strings', safetensorsBytes({ x: f32(0, 4, ['1']) }, data(4)), /^tensor "x": shape\.0: /],
  ['a negative size', safetensorsBytes({ x: f32(0, 4, [-1]) }, data(4)), /^tensor "x": shape\.0: /],
  ['half a size', safetensorsBytes({ x: f32(0, 4, [0.5]) }, data(4)), /^tensor "x": shape\.0: /],
  ['negative offsets', safetensorsBytes({ x: f32(-4, 0) }, data(4)), /^tensor "x": data_offsets\.0: /],
  [
    'three offsets',
    safetensorsBytes({ x: { ...f32(0, 4), data_offsets: [0, 4, 8] } }, data(8)),
    /^tensor "x": data_offsets: /,
  ],
  [
    'offsets in the wrong order',
    safetensorsBytes({ x: f32(4, 0, [1]) }, data(4)),
    'tensor "x": data_offsets [4, 0] are in the wrong order',
  ],
  [
    'huge offsets',
    safetensorsBytes({ x: f32(huge - 4, huge, [1]) }, data(4)),
    `tensor "x": truncated: it ends at data byte ${huge}, the file has 4`,
  ],
  ['offsets beyond integers', safetensorsBytes({ x: f32(0, 1e300, [1]) }, data(4)), /^tensor "x": data_offsets\.1: /],
  [
    'a file cut short',
    safetensorsBytes({ x: f32(0, 8) }, data(7)),
    'tensor "x": truncated: it ends at data byte 8, the file has 7',
  ],
  [
    'a shape whose size overflows',
    safetensorsBytes({ x: f32(0, 4, [2 ** 32, 2 ** 32, 2 ** 32]) }, data(4)),
    'tensor "x": F32 of shape [4294967296, 4294967296, 4294967296] has 316912650057057350374175801344 bytes, data_offsets give 4',
  ],
  [
    'a shape that is too small',
    safetensorsBytes({ x: f32(0, 8, [1]) }, data(8)),
    'tensor "x": F32 of shape [1] has 4 bytes, data_offsets give 8',
  ],
  [
    'a dtype that nobody has',
    safetensorsBytes({ x: { ...f32(0, 4), dtype: 'toString' } }, data(4)),
    'tensor "x": dtype "toString" is not supported (F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL)',
  ],
  ['tensors that overlap', safetensorsBytes({ x: f32(0, 8), y: f32(4, 12) }, data(12)), 'tensors "x" and "y" overlap'],
  [
    'a tensor within another',
    safetensorsBytes({ x: f32(0, 12), y: f32(4, 8) }, data(12)),
    'tensors "x" and "y" overlap',
  ],
  [
    'a hole',
    safetensorsBytes({ x: f32(0, 4), y: f32(8, 12) }, data(12)),
    'tensor "y": 4 bytes before it belong to no tensor',
  ],
  ['bytes at the end', safetensorsBytes({ x: f32(0, 4) }, data(9)), '5 bytes at its end belong to no tensor'],
];

describe('a malformed file is one clear line', () => {
  test.each(malformed)('%s', (_, bytes, expected) => {
    const path = temporaryFolder().write('x.safetensors', bytes);
    const message = refusal(path);
    expect(message.startsWith(`${path}: `)).toBe(true);
    const said = message.slice(path.length + 2);
    if (typeof expected === 'string') expect(said).toBe(expected);
    else expect(said).toMatch(expected);
  });

  test('a file that is not there, and a folder', () => {
    const folder = temporaryFolder().path;
    expect(refusal(join(folder, 'x'))).toBe(`${join(folder, 'x')}: cannot be opened (ENOENT)`);
    expect(refusal(folder)).toBe(`${folder}: not a regular file`);
  });

  test('whatever bytes stand there, the reader takes them or says one line', () => {
    const path = join(temporaryFolder().path, 'x');
    const good = safetensorsBytes({ a: f32(0, 8), b: f32(8, 12) }, data(12));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }),
        fc.nat({ max: good.length }),
        (changes, length) => {
          const bytes = Buffer.from(good.subarray(0, length));
          for (const [at, byte] of changes) if (at < length) bytes[at] = byte;
          writeFileSync(path, bytes);
          try {
            new SafetensorsFile(path).close();
          } catch (error) {
            expect(error).toBeInstanceOf(UserError);
            expect((error as Error).message).toMatch(/^[^\p{Cc}]+$/u);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

function refusal(path: string): string {
  let error: unknown;
  try {
    new SafetensorsFile(path).close();
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(UserError);
  const { message } = error as UserError;
  expect(message).toMatch(/^[^\p{Cc}]+$/u);
  return message;
}
