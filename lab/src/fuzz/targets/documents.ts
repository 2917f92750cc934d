/** Documents: JSONL, JSON and Parquet files, packed ones too, read with both answers to the question what becomes of broken records. */
import { readdirSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { BrokenRecords } from 'looprpt/internal/data/documents/broken.js';
import type { Document } from 'looprpt/internal/data/documents/document.js';
import { recordConverter } from 'looprpt/internal/data/documents/record-format.js';
import { type LocatedRecord, readJsonl, readParquet, readRecords } from 'looprpt/internal/data/documents/records.js';
import { mutatedBytes } from '../mutate/bytes.js';
import { mutatedJson } from '../mutate/json.js';
import type { CaseFiles, FuzzTarget } from '../target.js';

const RECORDS = [
  { text: 'the cat sat', loss: [[4, 7]], meta: { difficulty: 3, problem: 'p' } },
  { text: 'naïve 漢字 😀', question: { inner: 'a' }, answer: 4 },
];

const TEMPLATE = {
  kind: 'template',
  prompt: 'Q: {question.inner}',
  completion: ' {answer}',
  maskPrompt: true,
} as const;
const PASSES = [
  [TEMPLATE, 'skip'],
  [{ kind: 'text', field: 'text' }, 'skip'],
  [{ kind: 'text', field: 'text' }, 'stop'],
] as const;

type Converter = ReturnType<typeof recordConverter>;

/** @param read opens the file for a converter */
async function readAll(
  read: (broken: BrokenRecords, converter: Converter) => AsyncIterable<LocatedRecord>,
): Promise<void> {
  for (const [format, onBroken] of PASSES) {
    const broken = new BrokenRecords(onBroken);
    const converter = recordConverter(format);
    for await (const { where, record } of read(broken, converter)) {
      const conversion = converter.convert(record);
      if ('fault' in conversion) broken.report(where, conversion.fault);
      else checkRanges(conversion.document);
    }
  }
}

function checkRanges({ text, loss = [] }: Document): void {
  for (const [start, end] of loss)
    if (!(0 <= start && start < end && end <= text.length)) throw new Error(`range [${start}, ${end}] is outside`);
}

/** Of a file of a few hundred bytes; the real ones would make the cases that run into them too slow. */
const LIMITS = { seconds: 0.2, megabytes: 32 };

export function jsonl(): FuzzTarget {
  const honest = Buffer.from(RECORDS.map((record) => `${JSON.stringify(record)}\n`).join(''));
  const lines = fc
    .array(fc.oneof(...RECORDS.map(mutatedJson)), { minLength: 1, maxLength: 4 })
    .chain((list) =>
      fc
        .constantFrom('\n', '\r\n', '\n\n')
        .map((end) => Buffer.concat(list.flatMap((line) => [line, Buffer.from(end)]))),
    );
  return {
    cases: fc
      .oneof({ weight: 3, arbitrary: lines }, { weight: 1, arbitrary: mutatedBytes(honest) })
      .map((bytes): CaseFiles => [['d.jsonl', bytes]]),
    read: (folder) => readAll((broken) => readJsonl(`${folder}/d.jsonl`, broken)),
  };
}

/** Arrays of records, records over several lines, and both packed. */
export function json(): FuzzTarget {
  const arrays = fc
    .array(fc.oneof(...RECORDS.map(mutatedJson)), { maxLength: 4 })
    .chain((list) =>
      fc
        .constantFrom(',', ' ,\n', ',,')
        .map((comma) => Buffer.from(`[${list.map((record) => Buffer.from(record).toString()).join(comma)}]`)),
    );
  const pretty = Buffer.from(JSON.stringify(RECORDS[0], null, 2));
  const texts = fc.oneof(
    { weight: 3, arbitrary: arrays },
    { weight: 1, arbitrary: mutatedBytes(Buffer.from(JSON.stringify(RECORDS, null, 2))) },
    { weight: 1, arbitrary: mutatedBytes(pretty) },
  );
  const packed = texts.chain((text) => mutatedBytes(gzipSync(text)));
  return {
    cases: fc.oneof(
      texts.map((bytes): CaseFiles => [['d.json', bytes]]),
      packed.map((bytes): CaseFiles => [['d.json.gz', bytes]]),
    ),
    read: (folder) => {
      const file = readdirSync(folder).find((name) => name.startsWith('d.json'))!;
      return readAll((broken) => readRecords(`${folder}/${file}`, broken));
    },
  };
}

export function parquet(): FuzzTarget {
  const text = ['the cat sat', 'on the mat', 'x'.repeat(50), ''];
  const columnData = [
    { name: 'text', data: text, type: 'STRING' as const },
    { name: 'answer', data: [1, 2, 3, 4], type: 'INT32' as const },
    { name: 'question', data: text.map((inner) => ({ inner })), type: 'JSON' as const },
  ];
  const honest = (['SNAPPY', 'UNCOMPRESSED'] as const).map(
    (codec) => new Uint8Array(parquetWriteBuffer({ columnData, codec, rowGroupSize: 3 })),
  );
  return {
    allowance: 2 ** 29,
    cases: fc.oneof(...honest.map(mutatedBytes)).map((bytes): CaseFiles => [['d.parquet', bytes]]),
    read: (folder) => readAll((broken, converter) => readParquet(`${folder}/d.parquet`, broken, converter, LIMITS)),
  };
}
