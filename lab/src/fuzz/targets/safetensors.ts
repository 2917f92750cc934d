/** Safetensors files: their header and whether their tensors can be used. */
import { op, scope, type Tensor } from '@looprpt/engine';
import fc from 'fast-check';
import { SafetensorsFile } from 'looprpt/internal/checkpoint/safetensors/read.js';
import { mutatedBytes } from '../mutate/bytes.js';
import { mutatedJson } from '../mutate/json.js';
import type { CaseFiles, FuzzTarget } from '../target.js';

const HEADER = {
  __metadata__: { format: 'pt' },
  'model.norm.weight': { dtype: 'F32', shape: [4], data_offsets: [0, 16] },
  'model.embed_tokens.weight': { dtype: 'BF16', shape: [3, 2], data_offsets: [16, 28] },
  flags: { dtype: 'BOOL', shape: [2, 1, 2], data_offsets: [28, 32] },
  scalar: { dtype: 'F64', shape: [], data_offsets: [32, 40] },
  empty: { dtype: 'I64', shape: [0, 7], data_offsets: [40, 40] },
};
const DATA = Uint8Array.from({ length: 40 }, (_, i) => i);

export function safetensorsBytes(header: Uint8Array, data: Uint8Array, length = BigInt(header.length)): Buffer {
  const field = Buffer.alloc(8);
  field.writeBigUInt64LE(length);
  return Buffer.concat([field, header, data]);
}

export function safetensors(): FuzzTarget {
  const valid = safetensorsBytes(Buffer.from(JSON.stringify(HEADER)), DATA);
  const file = fc.oneof(
    { weight: 4, arbitrary: mutatedJson(HEADER).map((header) => safetensorsBytes(header, DATA)) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(mutatedJson(HEADER), fc.uint8Array({ maxLength: 80 }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
        .map(([header, data, length]) => safetensorsBytes(header, data, length)),
    },
    { weight: 2, arbitrary: mutatedBytes(valid) },
  );
  return {
    cases: file.map((bytes): CaseFiles => [['model.safetensors', bytes]]),
    read(folder) {
      using opened = new SafetensorsFile(`${folder}/model.safetensors`);
      for (const stored of opened.tensors)
        scope(() => {
          // Every byte is touched.
          op('aten::sum')<Tensor>(opened.load(stored).to({ dtype: 'float64' })).item();
        });
    },
  };
}
