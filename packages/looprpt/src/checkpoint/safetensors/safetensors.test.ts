import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DType, elementBytes, liveTensors, noGrad, scope, type Tensor, tensor } from '@looprpt/engine';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { collectGarbage } from '../../../../engine/test-support/collect-garbage.js';
import { safetensorsBytes } from '../../../test-support/checkpoint-folder.js';
import { goldenFolder } from '../../../test-support/slow/golden.js';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { DTYPES } from './format.js';
import { SafetensorsFile } from './read.js';
import { duplicateKey } from './unique-keys.js';
import { type TensorToWrite, writeSafetensors } from './write.js';

/** A tensor of any dtype with these bits. */
function ofBytes(bytes: Uint8Array, dtype: DType, shape: readonly number[]): Tensor {
  return scope(() =>
    tensor(bytes)
      .viewAs(dtype)
      .view(...shape),
  );
}

function bytesOf(values: Tensor): Uint8Array {
  if (values.numel === 0) return new Uint8Array();
  const { buffer, byteOffset, byteLength } = values.contiguous().viewTyped();
  return new Uint8Array(buffer, byteOffset, byteLength).slice();
}

const anyTensor = fc
  .record({
    dtype: fc.constantFrom<DType>(...Object.values(DTYPES)),
    shape: fc.array(fc.nat({ max: 5 }), { maxLength: 3 }),
  })
  .chain(({ dtype, shape }) => {
    const length = shape.reduce((product, size) => product * size, elementBytes(dtype));
    // A bool is 0 or 1; other bit patterns of one are not the format's business.
    const byte = dtype === 'bool' ? fc.nat({ max: 1 }) : fc.nat({ max: 255 });
    return fc.record({
      dtype: fc.constant(dtype),
      shape: fc.constant(shape),
      bytes: fc.array(byte, { minLength: length, maxLength: length }).map((bytes) => Uint8Array.from(bytes)),
    });
  });
const anyTensors = fc.dictionary(fc.string({ minLength: 1, unit: 'grapheme-ascii' }), anyTensor, { maxKeys: 6 });

/** A name that assignment to a plain object would lose. */
const PROTOTYPE_NAMED = Object.fromEntries([
  ['__proto__', { dtype: 'float64' as const, shape: [] as number[], bytes: new Uint8Array(8) }],
]);

describe('writing and reading', () => {
  test('gives back every bit, of any dtype and shape', async () => {
    const folder = temporaryFolder().path;
    const path = join(folder, 'x.safetensors');
    await collectGarbage();
    const before = liveTensors();
    fc.assert(
      fc.property(anyTensors, (named) => {
        const names = Object.keys(named).filter((name) => name !== '__metadata__');
        writeSafetensors(
          path,
          names.map((name): TensorToWrite => {
            const { dtype, shape, bytes } = named[name]!;
            return { name, dtype, shape, values: () => ofBytes(bytes, dtype, shape) };
          }),
        );
        expect(readdirSync(folder)).toEqual(['x.safetensors']);
        using file = new SafetensorsFile(path);
        expect(file.metadata).toEqual({ format: 'pt' });
        expect(file.tensors.map(({ name }) => name).sort()).toEqual([...names].sort());
        scope(() => {
          for (const stored of file.tensors) {
            const { dtype, shape, bytes } = named[stored.name]!;
            const values = file.load(stored);
            expect([values.dtype, values.shape]).toEqual([dtype, shape]);
            expect(bytesOf(values)).toEqual(bytes);
            // What the writer aligned, the reader maps.
            expect(stored.byteOffset % elementBytes(dtype)).toBe(0);
          }
        });
      }),
      { numRuns: 60, examples: [[PROTOTYPE_NAMED]] },
    );
    expect(liveTensors()).toBe(before);
  });

  test('the same tensors give the same bytes, and the header ends at a multiple of 8', () => {
    const folder = temporaryFolder().path;
    const files = ['a', 'b'].map((name) => {
      writeSafetensors(join(folder, name), [
        { name: 'x', dtype: 'float16', shape: [3], values: () => tensor([1, 2, 3]) },
        { name: 'y', dtype: 'float32', shape: [2], values: () => tensor([4, 5]) },
      ]);
      return readFileSync(join(folder, name));
    });
    expect(files[0]).toEqual(files[1]);
    expect(Number(files[0]!.readBigUInt64LE(0)) % 8).toBe(0);
    expect(files[0]!.length).toBe(8 + Number(files[0]!.readBigUInt64LE(0)) + 14);
  });

  test('views that are not contiguous, and another dtype', () => {
    const path = join(temporaryFolder().path, 'x');
    const values = () =>
      tensor([
        [1, 2, 3],
        [4, 5, 6.5],
      ])
        .transpose(0, 1)
        .slice(0, 1, 3); // prettier-ignore
    writeSafetensors(path, [{ name: 'x', dtype: 'bfloat16', shape: [2, 2], values }]);
    using file = new SafetensorsFile(path);
    expect(scope(() => file.load(file.tensors[0]!).toArray())).toEqual([
      [2, 5],
      [3, 6.5],
    ]);
  });

  test('a failure leaves what was there, and nothing else', () => {
    const folder = temporaryFolder();
    const path = folder.write('x', 'the old file');
    const broken = (): Tensor => {
      throw new Error('no values');
    };
    expect(() => writeSafetensors(path, [{ name: 'x', dtype: 'float32', shape: [1], values: broken }])).toThrow(
      'no values',
    );
    expect(readdirSync(folder.path)).toEqual(['x']);
    expect(readFileSync(path, 'utf8')).toBe('the old file');
  });

  test('an unaligned file is read all the same, and close() ends no tensor', () => {
    const path = join(temporaryFolder().path, 'x');
    const data = new Uint8Array(new Float32Array([1.5, -2]).buffer);
    const entry = { dtype: 'F32', shape: [2], data_offsets: [0, 8] };
    for (const padding of [0, 1, 2, 3]) {
      writeFileSync(path, safetensorsBytes(`${JSON.stringify({ x: entry })}${' '.repeat(padding)}`, data));
      const file = new SafetensorsFile(path);
      using values = file.load(file.tensors[0]!);
      file.close();
      expect(values.toArray()).toEqual([1.5, -2]);
    }
  });

  test('writing to a loaded tensor does not reach the file', () => {
    const path = join(temporaryFolder().path, 'x');
    writeSafetensors(path, [{ name: 'x', dtype: 'float32', shape: [2], values: () => tensor([1, 2]) }]);
    const before = readFileSync(path);
    using file = new SafetensorsFile(path);
    noGrad(() => scope(() => file.load(file.tensors[0]!).fill_(7)));
    expect(readFileSync(path)).toEqual(before);
  });

  test('a golden file, against a byte-by-byte reading', () => {
    const path = `${goldenFolder('tiny64')}model.safetensors`;
    const bytes = readFileSync(path);
    using file = new SafetensorsFile(path);
    expect(file.tensors.length).toBe(27);
    scope(() => {
      for (const stored of file.tensors) {
        const first = bytes.readFloatLE(stored.byteOffset);
        const last = bytes.readFloatLE(stored.byteOffset + stored.byteLength - 4);
        const numbers = file.load(stored).toNumbers();
        expect([numbers[0], numbers.at(-1)]).toEqual([first, last]);
      }
    });
  });
});

describe('duplicateKey', () => {
  const key = fc.constantFrom('a', 'b', 'c:', '"{', ' ');
  const { json } = fc.letrec((tie) => ({
    // JSON text with whether some object in it has a key twice.
    json: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom('1', '"a"', '"a:{"', '"\\"b\\":"', 'null').map((text) => ({ text, twice: false })),
      fc.array(tie('json') as fc.Arbitrary<{ text: string; twice: boolean }>, { maxLength: 3 }).map((items) => ({
        text: `[${items.map(({ text }) => text).join(' ,')}]`,
        twice: items.some(({ twice }) => twice),
      })),
      fc
        .array(fc.tuple(key, tie('json') as fc.Arbitrary<{ text: string; twice: boolean }>), { maxLength: 3 })
        .map((entries) => ({
          text: `{${entries.map(([k, { text }]) => `${JSON.stringify(k)} : ${text}`).join(', ')}}`,
          twice: entries.some(([, { twice }]) => twice) || new Set(entries.map(([k]) => k)).size < entries.length,
        })),
    ),
  }));

  test('finds a key that stands twice in one object, and nothing else', () => {
    fc.assert(
      fc.property(json, ({ text, twice }) => {
        JSON.parse(text);
        expect(duplicateKey(text) !== null).toBe(twice);
      }),
      { numRuns: 500 },
    );
  });
});
