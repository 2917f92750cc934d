/**
 * Checks the header of a safetensors file. What comes out can be trusted: every tensor lies in the file, has the size that
 * its shape and dtype ask for, and no two share a byte.
 */
import { elementBytes } from '@looprpt/engine';
import { z } from 'zod';
import { UserError } from '../../base/user-error.js';
import { oneLine } from '../../text/tokenizer-config.js';
import { DTYPES, LENGTH_BYTES, MAX_HEADER_BYTES, type StoredDType, type StoredTensor } from './format.js';
import { duplicateKey } from './unique-keys.js';

export interface Header {
  /** In the order of their bytes. */
  tensors: StoredTensor[];
  /** The `__metadata__` of the file. */
  metadata: Readonly<Record<string, string>>;
}

const offset = z.number().int().nonnegative();
const entrySchema = z.strictObject({
  dtype: z.string(),
  shape: z.array(z.number().int().nonnegative()),
  data_offsets: z.tuple([offset, offset]),
});
const metadataSchema = z.record(z.string(), z.string());

/** The file as far as its header needs it. Whole files are not held as one array: some runtimes stop at 4 GB. */
export interface ByteSource {
  path: string;
  length: number;
  /** @throws where the bytes do not lie within the file */
  read(offset: number, length: number): Uint8Array;
}

/** @throws UserError naming the file, and the tensor where one is at fault */
export function readHeader(file: ByteSource): Header {
  const { path } = file;
  const fail = (message: string): never => {
    // Parsers quote the file, which may hold anything.
    throw new UserError(`${path}: ${message.replace(/\p{Cc}+/gu, ' ')}`);
  };
  const dataStart = LENGTH_BYTES + headerLength(file, fail);
  const json = parseHeader(file.read(LENGTH_BYTES, dataStart - LENGTH_BYTES), fail);
  let metadata: Readonly<Record<string, string>> = {};
  const tensors: StoredTensor[] = [];
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__') {
      const parsed = metadataSchema.safeParse(value);
      metadata = parsed.success ? parsed.data : fail('__metadata__ is not a map of strings');
    } else {
      const inTensor = (message: string): never => fail(`tensor ${quoted(name)}: ${message}`);
      tensors.push(readEntry(name, value, dataStart, file.length, inTensor));
    }
  }
  tensors.sort((a, b) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength);
  checkCoverage(tensors, dataStart, file.length, fail);
  return { tensors, metadata };
}

/** A tensor's name for a message: on one line, and short. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name);
}

type Fail = (message: string) => never;

function headerLength(file: ByteSource, fail: Fail): number {
  if (file.length < LENGTH_BYTES) fail(`not a safetensors file: ${file.length} bytes`);
  const field = file.read(0, LENGTH_BYTES);
  const length = new DataView(field.buffer, field.byteOffset).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES))
    fail(`not a safetensors file: its header would have ${length} bytes (at most ${MAX_HEADER_BYTES} are allowed)`);
  if (length > BigInt(file.length - LENGTH_BYTES))
    fail(`truncated: a header of ${length} bytes does not fit in a file of ${file.length}`);
  return Number(length);
}

function parseHeader(bytes: Uint8Array, fail: Fail): object {
  let json: unknown;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    json = JSON.parse(text);
  } catch (error) {
    return fail(`its header is not JSON (${oneLine(error).slice(0, 120)})`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return fail('its header is not a JSON object');
  const duplicate = duplicateKey(text);
  if (duplicate !== null) fail(`its header has the key ${quoted(duplicate)} twice`);
  return json;
}

function readEntry(name: string, value: unknown, dataStart: number, fileLength: number, fail: Fail): StoredTensor {
  if (name === '' || name.length > 1000 || hasControlCharacter(name)) fail('not a sane name');
  const parsed = entrySchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    return fail(`${issue.path.join('.') || 'its entry'}: ${issue.message}`);
  }
  const { shape, data_offsets } = parsed.data;
  const [begin, end] = data_offsets;
  if (!Object.hasOwn(DTYPES, parsed.data.dtype))
    fail(`dtype ${quoted(parsed.data.dtype)} is not supported (${Object.keys(DTYPES).join(', ')})`);
  const dtype = DTYPES[parsed.data.dtype as StoredDType];
  if (begin > end) fail(`data_offsets [${begin}, ${end}] are in the wrong order`);
  const available = fileLength - dataStart;
  if (end > available) fail(`truncated: it ends at data byte ${end}, the file has ${available}`);
  // In integers of any size: a product of sizes may exceed what a number holds.
  const bytes = shape.reduce((product, size) => product * BigInt(size), BigInt(elementBytes(dtype)));
  if (bytes !== BigInt(end - begin))
    fail(`${parsed.data.dtype} of shape [${shape.join(', ')}] has ${bytes} bytes, data_offsets give ${end - begin}`);
  // Zero times anything is zero, yet the engine computes strides from the other sizes.
  if (shape.reduce((product, size) => product * Math.max(size, 1), 1) > Number.MAX_SAFE_INTEGER)
    fail(`shape [${shape.join(', ')}] is larger than any memory`);
  return { name, dtype, shape, byteOffset: dataStart + begin, byteLength: end - begin };
}

function hasControlCharacter(name: string): boolean {
  return [...name].some((character) => character < ' ' || character === '\u007f');
}

function checkCoverage(sorted: readonly StoredTensor[], dataStart: number, fileLength: number, fail: Fail): void {
  let end = dataStart;
  let before = '';
  for (const { name, byteOffset, byteLength } of sorted) {
    if (byteOffset < end) fail(`tensors ${quoted(before)} and ${quoted(name)} overlap`);
    if (byteOffset > end) fail(`tensor ${quoted(name)}: ${byteOffset - end} bytes before it belong to no tensor`);
    end = byteOffset + byteLength;
    before = name;
  }
  if (end < fileLength) fail(`${fileLength - end} bytes at its end belong to no tensor`);
}
