import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { collectGarbage } from '../test-support/collect-garbage.js';
import { arrayFor, type DType, elementBytes } from './dtype.js';
import { liveTensors, mapFile, scope } from './index.js';

const folder = mkdtempSync(path.join(tmpdir(), 'looprpt-files-'));
afterAll(() => rmSync(folder, { recursive: true }));

const contents = Uint8Array.from({ length: 256 }, (_, i) => (i * 37 + 11) % 256);
function file(name: string, bytes = contents): string {
  const where = path.join(folder, name);
  writeFileSync(where, bytes);
  return where;
}

describe('mapFile', () => {
  test('the bytes are those of the file', () => {
    using mapped = mapFile(file('bytes'));
    expect(mapped.bytes).toEqual(contents);
    expect(mapped.bytes).toBe(mapped.bytes);
  });

  test('tensors at any aligned place have the elements that the bytes make', async () => {
    await collectGarbage();
    using mapped = mapFile(file('tensors'));
    const dtypes: DType[] = ['float32', 'float64', 'bfloat16', 'int64', 'int32', 'int16', 'int8', 'uint8'];
    const place = fc
      .tuple(fc.constantFrom(...dtypes), fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }), fc.nat(32))
      .map(([dtype, shape, position]) => ({ dtype, shape, offset: position * elementBytes(dtype) }));
    fc.assert(
      fc.property(place, ({ dtype, shape, offset }) => {
        const before = liveTensors();
        const n = shape.reduce((product, size) => product * size, 1);
        const make = () => scope(() => mapped.tensor(offset, dtype, shape).toTyped());
        if (offset + n * elementBytes(dtype) > contents.length) expect(make).toThrow('does not lie within the file');
        else expect(make()).toEqual(new (arrayFor(dtype))(contents.buffer, offset, n));
        expect(liveTensors()).toBe(before);
      }),
      { numRuns: 200 },
    );
  });

  test('no copies: a change is seen everywhere but in the file', () => {
    const where = file('private');
    using mapped = mapFile(where);
    scope(() => {
      const [whole, part] = [mapped.tensor(0, 'uint8', [256]), mapped.tensor(16, 'uint8', [4])];
      part.fill_(9);
      expect(Array.from(mapped.bytes.subarray(15, 21))).toEqual([contents[15], 9, 9, 9, 9, contents[20]]);
      mapped.bytes[17] = 200;
      expect(whole.slice(0, 16, 20).toArray()).toEqual([9, 200, 9, 9]);
    });
    expect(readFileSync(where)).toEqual(Buffer.from(contents));
    using again = mapFile(where);
    expect(again.bytes).toEqual(contents);
  });

  test('what does not lie in the file is refused', () => {
    using mapped = mapFile(file('limits'));
    const refused: [number, DType, number[], string][] = [
      [256, 'uint8', [1], 'uint8 [1] at byte 256 does not lie within the file of 256 bytes'],
      [-4, 'float32', [1], 'does not lie within'],
      [0, 'float32', [65], 'does not lie within'],
      [0, 'float32', [-1], 'does not lie within'],
      [0, 'uint8', [2 ** 40, 2 ** 40], 'does not lie within'],
      [0, 'float64', [2 ** 62], 'does not lie within'],
      [2 ** 53, 'uint8', [], 'does not lie within'],
      [257, 'uint8', [0], 'does not lie within'],
      [2, 'float32', [1], 'byte 2 is not a multiple of the 4 bytes of float32'],
      [0.5, 'uint8', [1], 'an integer was expected'],
      [0, 'uint8', [Number.POSITIVE_INFINITY], 'an integer was expected'],
      [0, 'uint8', [Number.NaN], 'an integer was expected'],
    ];
    for (const [offset, dtype, shape, message] of refused)
      expect(() => mapped.tensor(offset, dtype, shape)).toThrow(message);
    expect(scope(() => mapped.tensor(256, 'float32', [2 ** 40, 0]).shape)).toEqual([2 ** 40, 0]);
  });

  test('an empty file', () => {
    using mapped = mapFile(file('empty', new Uint8Array(0)));
    expect(mapped.bytes).toEqual(new Uint8Array(0));
    expect(scope(() => mapped.tensor(0, 'float32', [0]).toArray())).toEqual([]);
    expect(() => mapped.tensor(0, 'uint8', [1])).toThrow('does not lie within the file of 0 bytes');
  });

  test('what cannot be mapped says why in one line', () => {
    const missing = path.join(folder, 'missing');
    expect(() => mapFile(missing)).toThrow(new Error(`${missing}: No such file or directory`));
    expect(() => mapFile(folder)).toThrow(new Error(`${folder}: not a regular file`));
  });

  test('closing: what was made from it stays', () => {
    const mapped = mapFile(file('closing'));
    const x = mapped.tensor(4, 'uint8', [3]);
    const { bytes } = mapped;
    mapped.close();
    mapped.close();
    expect(x.toArray()).toEqual([...contents.subarray(4, 7)]);
    expect(bytes).toEqual(contents);
    expect(() => mapped.bytes).toThrow('this mapped file was already disposed of');
    expect(() => mapped.tensor(0, 'uint8', [1])).toThrow('already disposed of');
    x.dispose();
    expect(bytes).toEqual(contents);
  });
});

test('a file that becomes shorter in use ends the process with a line that names it, and takes the lock along', () => {
  const shard = file('shard', new Uint8Array(1 << 20).fill(7));
  const lock = file('lock');
  const script = `
    import { truncateSync } from 'node:fs';
    import { mapFile, removeOnFault } from ${JSON.stringify(new URL('../dist/index.js', import.meta.url).href)};
    const { bytes } = mapFile(${JSON.stringify(shard)});
    removeOnFault(${JSON.stringify(lock)});
    truncateSync(${JSON.stringify(shard)}, 4096);
    process.stdout.write(String(bytes[0]));
    bytes.reduce((sum, byte) => sum + byte, 0);
  `;
  const ended = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  expect(ended.stdout).toBe('7');
  expect(ended.stderr).toBe(
    `\n${shard}: became shorter while it was in use; put the whole file back and start again\n`,
  );
  expect([ended.status, ended.signal]).toEqual([1, null]);
  expect(existsSync(lock)).toBe(false);
});
