import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { heldSteps, shownSteps } from '../../../test-support/event-files.js';
import { crc32c, maskedCrc32c } from './crc32c.js';
import type { MetricsRecord } from './record.js';
import { TensorBoardLog } from './tensorboard.js';

describe('crc32c', () => {
  test.each([
    ['the ASCII digits 1..9', Buffer.from('123456789'), 0xe3069283],
    ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
    ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
    ['0..31', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
    ['31..0', Buffer.from(Array.from({ length: 32 }, (_, i) => 31 - i)), 0x113fdb5c],
    ['nothing', Buffer.alloc(0), 0],
  ])('of %s (RFC 3720, B.4)', (_, bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected);
  });

  test('the mask can be undone', () => {
    const rotated = (maskedCrc32c(Buffer.from('123456789')) - 0xa282ead8) >>> 0;
    expect(((rotated >>> 17) | (rotated << 15)) >>> 0).toBe(0xe3069283);
  });
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tensorboard-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The wire format read by hand: field number → values, numbers for varints, bytes for the rest. */
function wireFields(bytes: Buffer): Map<number, (number | Buffer)[]> {
  const fields = new Map<number, (number | Buffer)[]>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const take = (length: number): Buffer => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const key = varint();
    const wireType = key & 7;
    const value = wireType === 0 ? varint() : take(wireType === 1 ? 8 : wireType === 5 ? 4 : varint());
    fields.set(key >>> 3, [...(fields.get(key >>> 3) ?? []), value]);
  }
  return fields;
}

/** The events of a TFRecord file, every checksum checked. */
function readEvents(path: string): Map<number, (number | Buffer)[]>[] {
  const file = readFileSync(path);
  const events: Map<number, (number | Buffer)[]>[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    expect(file.readUInt32LE(at + 8)).toBe(maskedCrc32c(file.subarray(at, at + 8)));
    const data = file.subarray(at + 12, at + 12 + length);
    expect(file.readUInt32LE(at + 12 + length)).toBe(maskedCrc32c(data));
    events.push(wireFields(data));
    at += 16 + length;
  }
  return events;
}

const record: MetricsRecord = {
  step: 300,
  tokens: 153_600,
  seconds: 12.5,
  tokensPerSecond: 12_288,
  learningRate: 0.001,
  loss: 2.25,
  parts: { rep: 2.5, pg: -0.125 },
  gradientNorm: 0.75,
  rewardByLoop: [-0.5, 0.25],
  exitHistogram: [0.625, 0.375],
  exitEntropy: 0.5,
  meanLoops: 1.375,
  memoryBytes: 2 ** 27,
};

describe('event files', () => {
  test('hold the version, the session start and every number of the records', () => {
    const log = new TensorBoardLog(folder, { firstStep: 300, now: () => 1_700_000_000_250 });
    log.write(record);
    log.write({ ...record, step: 301, loss: Number.NaN, skipped: true });
    log.close();
    log.close();

    const [version, start, first, second, ...rest] = readEvents(log.path);
    expect(rest).toEqual([]);
    expect(String(version!.get(3)![0])).toBe('brain.Event:2');
    expect((version!.get(1)![0] as Buffer).readDoubleLE()).toBe(1_700_000_000.25);
    expect(start!.get(2)).toEqual([300]);
    expect(wireFields(start!.get(7)![0] as Buffer).get(1)).toEqual([1]);

    const scalarsOf = (event: Map<number, (number | Buffer)[]>): Record<string, number> => {
      const values = wireFields(event.get(5)![0] as Buffer).get(1)!;
      return Object.fromEntries(
        values.map((value) => {
          const fields = wireFields(value as Buffer);
          return [String(fields.get(1)![0]), (fields.get(2)![0] as Buffer).readFloatLE()];
        }),
      );
    };
    expect(first!.get(2)).toEqual([300]);
    expect(scalarsOf(first!)).toEqual({
      'loss/total': 2.25,
      'loss/rep': 2.5,
      'loss/pg': -0.125,
      'optimizer/gradient norm': 0.75,
      'optimizer/learning rate': Math.fround(0.001),
      'optimizer/skipped': 0,
      'exit/mean loops': 1.375,
      'exit/entropy': 0.5,
      'exit share/loop 1': 0.625,
      'exit share/loop 2': 0.375,
      'reward/loop 1': -0.5,
      'reward/loop 2': 0.25,
      'speed/tokens per second': 12_288,
      'speed/tokens': 153_600,
      'memory/bytes': 2 ** 27,
    });
    expect(second!.get(2)).toEqual([301]);
    expect(scalarsOf(second!)).toMatchObject({ 'loss/total': Number.NaN, 'optimizer/skipped': 1 });
  });

  test('a step that is done anew stands in no older file; what is no event file is left alone', () => {
    const write = (log: TensorBoardLog, steps: number[]): void => {
      for (const step of steps) log.write({ ...record, step });
    };
    const first = new TensorBoardLog(folder);
    write(first, [1, 2, 3, 4, 5]);
    // As after a kill: not closed, the last record cut off.
    const whole = readFileSync(first.path);
    writeFileSync(first.path, whole.subarray(0, whole.length - 5));
    const foreign = join(folder, 'events.out.tfevents.1.other');
    writeFileSync(foreign, 'of another program');

    const second = new TensorBoardLog(folder, { firstStep: 3 });
    write(second, [3, 4, 5, 6]);
    second.rewind(4);
    write(second, [5, 6, 7]);
    second.close();
    rmSync(foreign);
    expect(heldSteps(folder)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(shownSteps(folder).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(readdirSync(folder).every((name) => name.startsWith('events.out.tfevents.'))).toBe(true);
  });

  test('files without such a step keep every byte', () => {
    const first = new TensorBoardLog(folder);
    first.write({ ...record, step: 1 });
    first.close();
    const before = readFileSync(first.path);
    writeFileSync(join(folder, 'events.out.tfevents.1.other'), 'of another program');
    new TensorBoardLog(folder, { firstStep: 2 }).close();
    expect(readFileSync(first.path)).toEqual(before);
    new TensorBoardLog(folder, { firstStep: 1 }).close();
    expect(readFileSync(join(folder, 'events.out.tfevents.1.other'), 'utf8')).toBe('of another program');
    expect(before.length).toBeGreaterThan(readFileSync(first.path).length);
  });
});
