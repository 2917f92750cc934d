/** What the fuzzer found, each as the smallest case that shows it. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { explainConfigError } from 'looprpt/internal/base/settings/config-error.js';
import { readSettings } from 'looprpt/internal/base/settings/config-file.js';
import { UserError } from 'looprpt/internal/base/user-error.js';
import { SafetensorsFile } from 'looprpt/internal/checkpoint/safetensors/read.js';
import { StoredModel } from 'looprpt/internal/checkpoint/stored-model.js';
import { BrokenRecords } from 'looprpt/internal/data/documents/broken.js';
import { recordConverter } from 'looprpt/internal/data/documents/record-format.js';
import { readParquet } from 'looprpt/internal/data/documents/records.js';
import { runConfigSchema } from 'looprpt/internal/train/run-config.js';
import { damageOf } from 'looprpt/internal/train/state/run-state.js';
import { expect, it } from 'vitest';
import { safetensorsBytes } from '../../../packages/looprpt/test-support/checkpoint-folder.js';
import { collect, temporaryFolder } from '../../../packages/looprpt/test-support/temporary-folder.js';

it('an empty tensor at an odd place, and one whose other sizes are beyond all numbers', () => {
  const folder = temporaryFolder();
  const header = (shape: number[]) => ({
    byte: { dtype: 'U8', shape: [1], data_offsets: [0, 1] },
    empty: { dtype: 'I64', shape, data_offsets: [1, 1] },
  });
  const odd = new SafetensorsFile(folder.write('odd', safetensorsBytes(header([0, 3]), Uint8Array.of(7))));
  const tensor = odd.load(odd.tensors.find(({ name }) => name === 'empty')!);
  expect([tensor.shape, tensor.dtype]).toEqual([[0, 3], 'int64']);
  tensor.dispose();
  odd.close();
  const huge = folder.write('huge', safetensorsBytes(header([0, 2 ** 40, 2 ** 40]), Uint8Array.of(7)));
  expect(() => new SafetensorsFile(huge)).toThrow(/is larger than any memory/);
});

it('a shard with a name that no file system takes', () => {
  const folder = temporaryFolder();
  folder.write('model.safetensors.index.json', JSON.stringify({ weight_map: { a: 'x'.repeat(300) } }));
  expect(() => new StoredModel(folder.path)).toThrow(/is missing$/);
});

it('messages that quote control characters, or all of a file', () => {
  expect(new UserError('a\u0007b\nc\u001b[2J').message).toBe('a b c [2J');
  expect(new UserError('x'.repeat(10_000)).message.length).toBeLessThan(1600);
});

it('YAML whose aliases lead nowhere, or are more than a recipe has', () => {
  const folder = temporaryFolder();
  // A thousand entries once they are followed: harmless, and refused all the same.
  const many = Array.from({ length: 3 }, (_, i) => `b${i}: &${i + 1} [${new Array(10).fill(`*${i}`).join(',')}]`);
  for (const text of ['a: *missing\n', `a: &0 [x]\n${many.join('\n')}\n`])
    expect(() => readSettings(folder.write('recipe.yaml', text))).toThrow(UserError);
});

it('a wrong value that is deeper than a call stack', () => {
  let deep: unknown = 1;
  for (let i = 0; i < 20_000; i++) deep = [deep];
  const settings = {
    model: { from: 'x' },
    data: { shards: 'x' },
    out: 'x',
    steps: 1,
    dtype: deep,
    objective: { kind: 'stage1' },
  };
  const { error } = runConfigSchema.safeParse(settings);
  expect(explainConfigError(runConfigSchema, settings, error!)).toContain('dtype: a list is none of float32');
});

it("a checkpoint's list of sums that names folders", async () => {
  const sum = createHash('sha256').digest('hex');
  for (const stray of ['', '.', '..', '../config.json']) {
    const path = join(temporaryFolder().path, 'step-1');
    mkdirSync(path);
    const names = { 'trainer.json': sum, 'trainer.safetensors': sum, [stray]: sum };
    for (const name of ['trainer.json', 'trainer.safetensors']) writeFileSync(join(path, name), '');
    writeFileSync(join(path, 'checksums.json'), JSON.stringify(names));
    expect(await damageOf(path)).toBe(`checksums.json lists ${JSON.stringify(stray)}, which is no file of the folder`);
  }
});

it('ranges of a loss that are lists themselves, as deep as a call stack', () => {
  let deep: unknown = 1;
  for (let i = 0; i < 20_000; i++) deep = [deep];
  const { convert } = recordConverter({ kind: 'text', field: 'text' });
  expect(convert({ text: 'a', loss: [[deep, 1]] })).toEqual({ fault: "field 'loss' must be a list of [start, end]" });
});

it('a Parquet file that takes longer than it may', async () => {
  const folder = temporaryFolder();
  const read = async (rows: number, seconds: number): Promise<{ rows: number; faults: readonly string[] }> => {
    const data = Array.from({ length: rows }, (_, i) => `row ${i}`);
    const bytes = parquetWriteBuffer({ columnData: [{ name: 'text', data }], codec: 'UNCOMPRESSED' });
    const path = folder.write('d.parquet', Buffer.from(bytes));
    const broken = new BrokenRecords('skip');
    const limits = { seconds, megabytes: 256 };
    const found = await collect(readParquet(path, broken, { required: ['text'], optional: [] }, limits));
    return { rows: found.length, faults: broken.examples };
  };
  // Every megabyte of the file adds a second to the limit, so it is far below none.
  const late = await read(100_000, -1000);
  expect(late.rows).toBe(0);
  expect(late.faults).toEqual([expect.stringMatching(/did not end within/)]);
  expect(await read(3, 60)).toEqual({ rows: 3, faults: [] });
});
