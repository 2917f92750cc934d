/**
 * How the matrices of a stored model are whole numbers: `quantization_config` in `config.json`, and the names of the tensors.
 *
 * A matrix `X.weight` is stored as `X.weight.codes`, `X.weight.scales` and, with zero points, `X.weight.zeros`; the embedding,
 * norms and the gate as they were. docs/reference/quantised-weights.md has the layout.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Quantisation } from '@looprpt/engine';
import { z } from 'zod';
import type { WeightFormat } from '../base/dtypes.js';
import { UserError } from '../base/user-error.js';
import { parseJson } from '../text/tokenizer-config.js';
import { CONFIG_FILE } from './stored-model.js';

export const QUANT_METHOD = 'looprpt';

const quantisationSchema = z.strictObject({
  quant_method: z.literal(QUANT_METHOD),
  bits: z.literal([4, 8]),
  group_size: z.literal([32, 64, 128]),
  zero_point: z.boolean(),
  scale_dtype: z.enum(['float16', 'bfloat16']),
});

/**
 * Groups of 32 with symmetric codes, unless told otherwise: what loses least for its size. Scales in float16: rounded to bfloat16
 * they cost int8 more than its codes do.
 */
export function quantisationOf(
  format: Exclude<WeightFormat, 'bfloat16'>,
  options: { group?: Quantisation['group'] | undefined; zeros?: boolean | undefined } = {},
): Quantisation {
  const { group = 32, zeros = false } = options;
  return { bits: format === 'int8' ? 8 : 4, group, zeros, scale: 'float16' };
}

/** `int4 in groups of 32`, for people. */
export function quantisationName({ bits, group, zeros }: Quantisation): string {
  return `int${bits} in groups of ${group}${zeros ? ' with zero points' : ''}`;
}

export function toQuantizationConfig({ bits, group, zeros, scale }: Quantisation): object {
  return { quant_method: QUANT_METHOD, bits, group_size: group, zero_point: zeros, scale_dtype: scale };
}

/** How the folder's matrices are stored; null: as floating-point numbers. @throws UserError for another method's */
export function storedQuantisation(dir: string): Quantisation | null {
  const path = join(dir, CONFIG_FILE);
  const { quantization_config: given } = parseJson(path, readFileSync(path, 'utf8')) as Record<string, unknown>;
  if (given === undefined || given === null) return null;
  const parsed = quantisationSchema.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new UserError(
      `${path}: quantization_config: ${[...issue!.path, issue!.message].join(': ')}; only weights of \`looprpt quantize\` are read`,
    );
  }
  const { bits, group_size: group, zero_point: zeros, scale_dtype: scale } = parsed.data;
  return { bits, group, zeros, scale };
}

/** Names and shapes of what a matrix [O, I] is stored as. */
export function quantisedParts(
  name: string,
  [O, I]: readonly [number, number],
  { bits, group, zeros, scale }: Quantisation,
) {
  const groups = Math.ceil(I / group);
  return {
    codes: {
      name: `${name}.codes`,
      shape: [O, bits === 8 ? I : 64 * Math.ceil(I / 128)],
      dtype: bits === 8 && !zeros ? ('int8' as const) : ('uint8' as const),
    },
    scales: { name: `${name}.scales`, shape: [O, groups], dtype: scale },
    zeros: zeros ? { name: `${name}.zeros`, shape: [O, groups], dtype: 'uint8' as const } : null,
  };
}
