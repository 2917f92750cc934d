import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type ColumnSource, parquetWriteFile } from 'hyparquet-writer';
import { describe, expect, test } from 'vitest';
import { collect, type TemporaryFolder, temporaryFolder } from '../../../test-support/temporary-folder.js';
import { UserError } from '../../base/user-error.js';
import { BrokenRecords } from './broken.js';
import { fileSourceSchema, readDocuments } from './files.js';
import { expandPaths } from './paths.js';

type Settings = Omit<Parameters<typeof fileSourceSchema.parse>[0] & object, never>;

function read(settings: Settings, broken?: BrokenRecords) {
  return collect(readDocuments(fileSourceSchema.parse(settings), broken));
}

const texts = async (settings: Settings) => (await read(settings)).map(({ text }) => text);

describe('JSONL', () => {
  test('one record a line, blank lines, CRLF and a byte order mark notwithstanding', async () => {
    const path = temporaryFolder().write('a.jsonl', '\ufeff{"text":"one"}\r\n\r\n{"text":"zwö"}\n  \n{"text":"3"}');
    expect(await texts({ paths: [path] })).toEqual(['one', 'zwö', '3']);
  });

  test('a broken record stops with file and line, or is left out and counted', async () => {
    const lines = ['{"text":"1"}', '{"text":', '[1]', '{"text":"2"}', '{"txt":"3"}'];
    const path = temporaryFolder().write('a.jsonl', lines.join('\n'));
    await expect(read({ paths: [path] })).rejects.toThrow(UserError);
    await expect(read({ paths: [path] })).rejects.toThrow(`${path}:2: no JSON: `);
    const broken = new BrokenRecords('skip');
    expect((await read({ paths: [path] }, broken)).map(({ text }) => text)).toEqual(['1', '2']);
    expect(broken.count).toBe(3);
    expect(broken.examples[1]).toBe(`${path}:3: expected a JSON object, found [1]`);
    expect(broken.examples[2]).toBe(`${path}:5: no field 'text'; there are: txt`);
  });
});

describe('JSON', () => {
  test('is an array of records, a record a line, or one record over several lines', async () => {
    const folder = temporaryFolder();
    const array = folder.write('array.json', '\ufeff[\n {"text": "1"},\n {"text": "]2["}\n]\n');
    const lines = folder.write('lines.json', '{"text": "3"}\n{"text": "4"}\n');
    const one = folder.write('one.json', '{\n  "text": "5"\n}\n');
    expect(await texts({ paths: [array, lines, one] })).toEqual(['1', ']2[', '3', '4', '5']);
  });

  test('says which record is broken', async () => {
    const folder = temporaryFolder();
    const array = folder.write('array.json', '[{"text": "1"}, 7, {"txt": ""}, {"text": }, {"text": "2"}]');
    const broken = new BrokenRecords('skip');
    expect((await read({ paths: [array] }, broken)).map(({ text }) => text)).toEqual(['1', '2']);
    expect(broken.examples[0]).toBe(`${array}, record 2: expected a JSON object, found 7`);
    expect(broken.examples[1]).toBe(`${array}, record 3: no field 'text'; there are: txt`);
    expect(broken.examples[2]).toMatch(/, record 4: no JSON: /);
    const lines = folder.write('lines.json', '{"text": "3"\n{"text": "4"}\n');
    await expect(read({ paths: [lines] })).rejects.toThrow(`${lines}:1: no JSON: `);
  });
});

describe('packed files', () => {
  test('are read as what they pack, several members too', async () => {
    const folder = temporaryFolder();
    const packed = (name: string, ...members: string[]) =>
      folder.write(name, Buffer.concat(members.map((member) => gzipSync(member))));
    const paths = [
      packed('a.jsonl.gz', '{"text": "1"}\n', '{"text": "2"}\n'),
      packed('b.json.gz', '[{"text": "3"}]'),
      packed('c.TXT.GZ', '\ufefffour\r\n'),
    ];
    expect(await texts({ paths })).toEqual(['1', '2', '3', 'four\n']);
    expect(await texts({ paths: [folder.path] })).toEqual(['1', '2', '3', 'four\n']);
  });

  test('that are cut off give what is whole, and are named', async () => {
    const whole = gzipSync(Array.from({ length: 4000 }, (_, n) => `{"text": "${(n * 7919) % 1009}"}\n`).join(''));
    const path = temporaryFolder().write('a.jsonl.gz', whole.subarray(0, whole.length / 2));
    await expect(read({ paths: [path] })).rejects.toThrow(`${path}: damaged or cut off: `);
    const broken = new BrokenRecords('skip');
    const found = await read({ paths: [path] }, broken);
    expect(found.length).toBeGreaterThan(100);
    expect(found.length).toBeLessThan(4000);
    expect(broken.examples.some((example) => example.startsWith(`${path}: damaged or cut off: `))).toBe(true);
    const odd = temporaryFolder().write('a.parquet.gz', whole);
    await expect(read({ paths: [odd] })).rejects.toThrow(`${odd}: unknown kind of file`);
  });
});

describe('Parquet', () => {
  const column = (name: string, data: unknown[], type: 'STRING' | 'INT64'): ColumnSource =>
    ({ name, data, type }) as ColumnSource;

  function writeParquet(folder: TemporaryFolder, rows: number, codec: 'SNAPPY' | 'UNCOMPRESSED' = 'SNAPPY') {
    const filename = join(folder.path, 'a.parquet');
    const numbers = Array.from({ length: rows }, (_, index) => index);
    parquetWriteFile({
      filename,
      codec,
      rowGroupSize: 7,
      columnData: [
        column(
          'question',
          numbers.map((n) => `wieviel ist ${n} + ${n}? ✓`),
          'STRING',
        ),
        column(
          'answer',
          numbers.map((n) => (n === 9 ? null : String(2 * n))),
          'STRING',
        ),
        column('id', numbers.map(BigInt), 'INT64'),
      ],
    });
    return filename;
  }
  const format = { kind: 'template', prompt: '{id}: {question}', completion: ' {answer}' } as const;

  test('rows of all row groups in order, nulls broken with their row', async () => {
    const path = writeParquet(temporaryFolder(), 20);
    const broken = new BrokenRecords('skip');
    const documents = await read({ paths: [path], format }, broken);
    const expected = Array.from({ length: 20 }, (_, n) => `${n}: wieviel ist ${n} + ${n}? ✓ ${2 * n}`);
    expect(documents.map(({ text }) => text)).toEqual(expected.filter((_, n) => n !== 9));
    expect(broken.examples).toEqual([`${path}, row 10: no field 'answer'`]);
  });

  test('invalid UTF-8 in a value breaks its row, as text and in a template', async () => {
    const path = writeParquet(temporaryFolder(), 20, 'UNCOMPRESSED');
    const bytes = readFileSync(path);
    bytes[bytes.indexOf('wieviel ist 5') + 3] = 0xff;
    writeFileSync(path, bytes);
    const text = { kind: 'text', field: 'question' } as const;
    await expect(read({ paths: [path], format: text })).rejects.toThrow(
      `${path}, row 6: field 'question' is invalid UTF-8 at byte 4`,
    );
    const broken = new BrokenRecords('skip');
    expect(await read({ paths: [path], format }, broken)).toHaveLength(18);
    expect(broken.examples[0]).toBe(`${path}, row 6: field 'question' is invalid UTF-8 at byte 4`);
  });

  test('a missing column is named, with those that are there', async () => {
    const path = writeParquet(temporaryFolder(), 3);
    await expect(read({ paths: [path] })).rejects.toThrow(`${path}: no column 'text'; there are: question, answer, id`);
  });

  test('what is no Parquet file says so', async () => {
    const path = temporaryFolder().write('a.parquet', 'PAR1 but nothing else PAR0');
    await expect(read({ paths: [path] })).rejects.toThrow(`${path}: no readable Parquet file: `);
  });
});

describe('plain text', () => {
  const text = '\ufeffFirst line\r\nsecond line\r\n\r\n  \r\n\nAnother\n\n';

  test('a file is one document', async () => {
    const folder = temporaryFolder();
    const [path, blank] = [folder.write('a.txt', text), folder.write('blank.txt', '\n \n')];
    expect(await texts({ paths: [path, blank] })).toEqual(['First line\nsecond line\n\n  \n\nAnother\n\n']);
  });

  test('or one for each stretch between blank lines', async () => {
    const path = temporaryFolder().write('a.txt', text);
    expect(await texts({ paths: [path], textSplit: 'blank-lines' })).toEqual(['First line\nsecond line', 'Another']);
  });

  test('invalid UTF-8 is located by line and byte', async () => {
    const path = temporaryFolder().write('a.txt', Buffer.concat([Buffer.from('ok\nab'), Buffer.from([0xff, 0x41])]));
    await expect(read({ paths: [path] })).rejects.toThrow(`${path}:2: invalid UTF-8 at byte 6 of the file`);
    await expect(read({ paths: [path], textSplit: 'blank-lines' })).rejects.toThrow(
      `${path}:2: invalid UTF-8 at byte 3 of the line`,
    );
  });
});

describe('paths', () => {
  function tree() {
    const folder = temporaryFolder();
    for (const name of ['b.jsonl', 'a/z.txt', 'a/B.PARQUET', 'README.md', 'a/info.json', '.hidden.txt']) {
      folder.write(`data/${name}`, '');
    }
    return { root: join(folder.path, 'data'), folder };
  }

  test('a folder is searched to the bottom, in a fixed order', async () => {
    const { root } = tree();
    expect(await expandPaths([root])).toEqual(['a/B.PARQUET', 'a/z.txt', 'b.jsonl'].map((name) => join(root, name)));
  });

  test('files of a folder that are not read are named with the reason', async () => {
    const { root, folder } = tree();
    folder.write('data/a/rows.json', ' [{"text": "x"}]');
    folder.write('data/model.bin', '');
    const broken = new BrokenRecords('stop');
    expect(await texts({ paths: [join(root, 'a/rows.json')] })).toEqual(['x']);
    const left: string[] = [];
    const found = await expandPaths([root], (file, why) => left.push(`${file.slice(root.length + 1)}: ${why}`));
    expect(found.map((file) => file.slice(root.length + 1))).toEqual([
      'a/B.PARQUET',
      'a/rows.json',
      'a/z.txt',
      'b.jsonl',
    ]);
    expect(left).toEqual([
      'README.md: read only when it is named itself',
      'a/info.json: no array of records; read only when it is named itself',
      'model.bin: no data that can be read',
    ]);
    await expect(read({ paths: [root] }, broken)).rejects.toThrow(/B\.PARQUET/);
    expect(broken.files).toEqual(left.map((line) => join(root, line)));
  });

  test('patterns are expanded, files named are taken as they are, nothing comes twice', async () => {
    const { root } = tree();
    const found = await expandPaths([join(root, 'README.md'), `${root}/**/*.{txt,json}`, join(root, 'a/z.txt')]);
    expect(found).toEqual(['README.md', 'a/info.json', 'a/z.txt'].map((name) => join(root, name)));
  });

  test('links to files are followed, as caches are full of them', async () => {
    const folder = temporaryFolder();
    folder.write('blobs/123', '{"text":"linked"}');
    folder.write('snapshot/other.txt', '');
    symlinkSync(join(folder.path, 'blobs/123'), join(folder.path, 'snapshot/a.jsonl'));
    expect(await texts({ paths: [join(folder.path, 'snapshot')] })).toEqual(['linked']);
  });

  test.each([
    ['nothing', ': no such file or folder'],
    ['*.txt', ': no file matches'],
    ['empty', ': holds no file ending in .jsonl'],
    ['odd.bin', ': unknown kind of file; readable are .jsonl'],
  ])('%s is refused in one line', async (name, message) => {
    const folder = temporaryFolder();
    folder.write('empty/README.md', '');
    folder.write('odd.bin', '');
    const path = join(folder.path, name);
    await expect(expandPaths([path])).rejects.toThrow(UserError);
    await expect(expandPaths([path])).rejects.toThrow(path + message);
  });
});
