/**
 * Checkpoint folders made by hand for tests, without the product's own writer: bytes of a safetensors file from any header,
 * and whole folders from the slow model's parameters.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SlowConfig, SlowParams } from './slow/slow-loop-lm.js';
import { configJson } from './slow/tiny-model.js';

/** A file of this header (an object, or its text as it is) and these data bytes; `length` overrides the length field. */
export function safetensorsBytes(header: object | string, data: Uint8Array, length?: bigint): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const field = Buffer.alloc(8);
  field.writeBigUInt64LE(length ?? BigInt(text.length));
  return Buffer.concat([field, text, data]);
}

export type HandDType = 'F64' | 'F32' | 'BF16' | 'F16';

const elementBytes: Record<HandDType, number> = { F64: 8, F32: 4, BF16: 2, F16: 2 };

/** The nearest number that the dtype has (ties to even). */
export function rounded(value: number, dtype: HandDType): number {
  if (dtype === 'F64') return value;
  if (dtype === 'F32') return Math.fround(value);
  // Significand of 8 or 11 bits; subnormal numbers of F16 are multiples of 2^-24.
  const exponent = value === 0 ? 0 : Math.floor(Math.log2(Math.abs(value)));
  const unit = 2 ** (dtype === 'BF16' ? exponent - 7 : Math.max(exponent - 10, -24));
  const scaled = value / unit;
  const floor = Math.floor(scaled);
  const even = floor % 2 === 0 ? floor : floor + 1;
  const nearest = scaled - floor === 0.5 ? even : Math.round(scaled);
  return nearest * unit;
}

/** Bits of a number that the dtype holds exactly. */
function put(view: DataView, offset: number, value: number, dtype: HandDType): void {
  if (dtype === 'F64') view.setFloat64(offset, value, true);
  else if (dtype === 'F32') view.setFloat32(offset, value, true);
  else if (dtype === 'BF16') {
    const wide = new DataView(new ArrayBuffer(4));
    wide.setFloat32(0, value);
    view.setUint16(offset, wide.getUint16(0), true);
  } else view.setUint16(offset, float16Bits(value), true);
}

function float16Bits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size < 2 ** -14) return sign | (size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  return sign | ((exponent + 15) << 10) | ((size / 2 ** exponent - 1) * 1024);
}

/** Parameters whose numbers the dtype holds exactly. */
export function roundedParams(params: SlowParams, dtype: HandDType): SlowParams {
  return Object.fromEntries(
    Object.entries(params).map(([name, { shape, data }]) => [
      name,
      { shape, data: data.map((value) => rounded(value, dtype)) },
    ]),
  );
}

/** One file with some of the parameters. */
export function paramsBytes(params: SlowParams, dtype: HandDType): Buffer {
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const [name, { shape, data }] of Object.entries(params)) {
    const begin = end;
    end += data.length * elementBytes[dtype];
    header[name] = { dtype, shape, data_offsets: [begin, end] };
  }
  const bytes = new Uint8Array(end);
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const { data } of Object.values(params))
    for (const value of data) {
      put(view, offset, value, dtype);
      offset += elementBytes[dtype];
    }
  return safetensorsBytes(header, bytes);
}

/** A whole folder; `shards` > 1 deals the tensors out in turn. */
export function writeCheckpoint(
  dir: string,
  { config, params }: { config: SlowConfig; params: SlowParams },
  options: { dtype?: HandDType; shards?: number; configExtra?: Record<string, unknown> } = {},
): void {
  const { dtype = 'F32', shards = 1, configExtra = {} } = options;
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'config.json'), JSON.stringify({ ...configJson(config), ...configExtra }));
  if (shards === 1) {
    writeFileSync(join(dir, 'model.safetensors'), paramsBytes(params, dtype));
    return;
  }
  const weightMap: Record<string, string> = {};
  for (let shard = 0; shard < shards; shard++) {
    const file = `part-${shard}.safetensors`;
    const own = Object.fromEntries(Object.entries(params).filter((_, n) => n % shards === shard));
    for (const name of Object.keys(own)) weightMap[name] = file;
    writeFileSync(join(dir, file), paramsBytes(own, dtype));
  }
  writeFileSync(join(dir, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: weightMap }));
}
