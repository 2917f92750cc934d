/** What is read of lines, fast and as bytes, against `JSON.parse` of each; and that a digest is as good as having read them. */
import { appendFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../../test-support/temporary-folder.js';
import { digestBytes, digestFrom, readDigest, writeDigest } from './digest.js';
import { MetricsReading, type ReadingState } from './reading.js';
import { parseLine } from './record-line.js';
import { Series } from './series.js';
import { MetricsTail } from './tail.js';

const number = fc.oneof(
  fc.double().map((value) => JSON.stringify(value)),
  fc.constantFrom('null', '1e999', '-0', '1E2', '0.10', '12345678901234567890', '01', 'true', '"x"', '[1,[2]]', '{}'),
);
const text = fc.string({ unit: 'binary', maxLength: 5 }).map((value) => JSON.stringify(value));

/** Lines of few kinds, as a file has them, with other numbers and steps in each; and now and then one of another kind. */
const kinds = fc.array(
  fc.record({
    keys: fc.uniqueArray(fc.oneof(text, fc.constantFrom('"loss"', '"7"', '"__proto__"', '"seconds"')), {
      maxLength: 4,
    }),
    parts: fc.uniqueArray(text, { maxLength: 3 }),
    label: text,
    space: fc.constantFrom('', '', '', ' '),
    loops: fc.integer({ min: 0, max: 3 }),
  }),
  { minLength: 1, maxLength: 3 },
);
const lines = kinds.chain((all) =>
  fc.array(
    fc.oneof(
      { weight: 1, arbitrary: fc.constantFrom('', 'nonsense', '[1]', '{"step":null}', '{"step":5,"step":6}', '{"a":') },
      { weight: 1, arbitrary: fc.constant('{"step":9,"loss":1,"warnings":["the gate",3]}') },
      {
        weight: 12,
        arbitrary: fc
          .tuple(
            fc.constantFrom(...all),
            fc.integer({ min: 1, max: 40 }),
            fc.array(number, { minLength: 10, maxLength: 10 }),
          )
          .map(([{ keys, parts, label, space, loops }, step, values]) => {
            const next = (): string => values.pop()!;
            const own = keys.map((key) => `,${space}${key}:${next()}`).join('');
            const nested = parts.map((key) => `${key}:${next()}`).join(',');
            const exits = Array.from({ length: loops }, next).join(',');
            return `{"step":${step},"label":${label}${own},"parts":{${nested}},"exits":[${exits}]}`;
          }),
      },
    ),
    { minLength: 1, maxLength: 40 },
  ),
);

function slow(all: readonly string[]): Pick<ReadingState, 'series' | 'last' | 'recent'> {
  const series = new Series();
  let last = null;
  const recent: [number, number][] = [];
  let offset = 0;
  for (const line of all) {
    const record = parseLine(line);
    if (record && series.add(record, offset)) {
      last = record;
      const { seconds } = record;
      if (typeof seconds === 'number' && Number.isFinite(seconds)) recent.push([record.step, seconds]);
    }
    offset += Buffer.byteLength(line) + 1;
  }
  return { series, last, recent: recent.slice(-50) };
}

const bytesOf = (all: readonly string[]) => Buffer.from(all.map((line) => `${line}\n`).join(''));

function readAll(path: string, reading = new MetricsReading(), from = 0): { reading: MetricsReading; covers: number } {
  const tail = new MetricsTail(path, from);
  tail.read((found, offset) => reading.take(found, offset), 1 << 20);
  return { reading, covers: tail.offset };
}

const measured = (step: number) =>
  `{"step":${step},"seconds":${0.1 * step},"loss":${Math.sin(step)},"parts":{"a":${step % 7 ? step : null}}}`;
const many = Array.from({ length: 3000 }, (_, i) => measured(i + 1));

describe('a reading', () => {
  it('means what each line means to JSON.parse', () => {
    fc.assert(
      fc.property(lines, fc.boolean(), (all, rising) => {
        const steps = rising ? all.map((line, i) => line.replace(/^{"step":\d+/, `{"step":${i + 1}`)) : all;
        const reading = new MetricsReading();
        reading.take(bytesOf(steps), 0);
        const expected = slow(steps);
        const { series, last, recent } = reading.state;
        expect({ stored: series.stored, last, recent }).toEqual({
          stored: expected.series.stored,
          last: expected.last,
          recent: expected.recent,
        });
        expect(reading.lines.filter((line) => line.includes('not a record')).length).toBe(
          Math.min(5, steps.filter((line) => parseLine(line) === null).length),
        );
      }),
      { numRuns: 200 },
    );
  });

  it('of many lines is theirs, smallest and largest values exact', () => {
    const reading = new MetricsReading();
    reading.take(bytesOf(many), 0);
    expect(reading.series.stored).toEqual(slow(many).series.stored);
    expect(reading.last).toEqual(JSON.parse(many.at(-1)!));
  });
});

describe('a digest', () => {
  it('is as good as having read the file, and one goes on from it', () => {
    const { path } = temporaryFolder();
    const [metrics, digest] = [join(path, 'metrics.jsonl'), join(path, 'new', 'metrics.thin')];
    writeFileSync(metrics, `${many.slice(0, 1000).join('\n')}\nnonsense\n{"step":1001,"warnings":["the gate"]}\n{"st`);
    writeDigest(digest, digestBytes(readAll(metrics), metrics));
    const kept = readDigest(digest, metrics)!;
    expect(kept.covers).toBe(readFileSync(metrics).lastIndexOf('\n') + 1);
    expect(kept.reading.lines.join()).toMatch(/not a record.*step 1001: the gate/);
    truncateSync(metrics, kept.covers);
    appendFileSync(metrics, `${many.slice(1001).join('\n')}\n`);
    const rest = readAll(metrics, readDigest(digest, metrics)!.reading, kept.covers);
    const whole = readAll(metrics);
    expect(rest.covers).toBe(whole.covers);
    expect(rest.reading.series.stored).toEqual(whole.reading.series.stored);
    expect({ ...rest.reading.state, series: null }).toEqual({ ...whole.reading.state, series: null });
  });

  it('counts for nothing where the file is another one, or it is damaged', () => {
    const { path } = temporaryFolder();
    const metrics = join(path, 'metrics.jsonl');
    writeFileSync(metrics, bytesOf(many));
    const whole = readAll(metrics);
    const bytes = digestBytes(whole, metrics)!;
    expect(digestFrom(bytes, metrics)?.covers).toBe(whole.covers);
    for (let at = 0; at < bytes.length; at += 1 + Math.floor(bytes.length / 97)) {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 1;
      expect(digestFrom(damaged, metrics)).toBe(null);
    }
    for (const length of [0, 10, 100, bytes.length - 8])
      expect(digestFrom(bytes.subarray(0, length), metrics)).toBe(null);
    expect(readDigest(join(path, 'none'), metrics)).toBe(null);
    // A run that went back took its last steps again, at other times.
    const again = many
      .slice(0, 2900)
      .concat(many.slice(2900).map((line) => line.replace(/"seconds":\d/, '"seconds":9')));
    writeFileSync(metrics, bytesOf([...again, measured(4000)]));
    expect(digestFrom(bytes, metrics)).toBe(null);
    writeFileSync(metrics, bytesOf(many.slice(0, 100)));
    expect(digestFrom(bytes, metrics)).toBe(null);
    expect(digestFrom(bytes, join(path, 'gone.jsonl'))).toBe(null);
  });
});
