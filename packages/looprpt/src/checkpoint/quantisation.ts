/**
 * How the matrices of a stored model are whole numbers: `quantization_config` in `config.json`, and the names of the tensors.
 *
 * Some kinds of matrices may have 8 bits where the others have 4. A matrix `X.weight` is stored as `X.weight.codes`, `X.weight.scales`
 * and, with zero points, `X.weight.zeros`; the embedding, norms and the gate as they were. docs/reference/quantised-weights.md has the layout.
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

/** Of the order of codes: a number that folders name, so that codes in another order are not taken for these. */
const LAYOUT = 2;

/** Matrices by what they do, as far as they are multiplied at once: q, k and v are `qkv`. */
export const MATRIX_KINDS = ['qkv', 'out', 'gate-up', 'down', 'head'] as const;
export type MatrixKind = (typeof MATRIX_KINDS)[number];

/** How a model's matrices are made whole numbers. */
export interface ModelQuantisation extends Quantisation {
  /** Kinds that have 8 bits where `bits` is 4; default: none. */
  int8?: readonly MatrixKind[] | undefined;
}

const quantisationSchema = z
  .strictObject({
    quant_method: z.literal(QUANT_METHOD),
    bits: z.literal([4, 8]),
    group_size: z.literal([32, 64, 128]),
    zero_point: z.boolean(),
    scale_dtype: z.enum(['float16', 'bfloat16']),
    int8: z.array(z.enum(MATRIX_KINDS)).exactOptional(),
    layout: z.literal(LAYOUT, {
      error: 'codes are in the order of another version; make them anew from the model that they were made from',
    }),
  })
  .refine(({ bits, int8 }) => bits === 4 || int8 === undefined, { path: ['int8'], error: 'bits are 8 already' });

/**
 * Groups of 32 with symmetric codes, unless told otherwise: what loses least for its size. Scales in float16: rounded to bfloat16
 * they cost int8 more than its codes do.
 */
export function quantisationOf(
  format: Exclude<WeightFormat, 'bfloat16'>,
  options: {
    group?: Quantisation['group'] | undefined;
    zeros?: boolean | undefined;
    int8?: ModelQuantisation['int8'];
  } = {},
): ModelQuantisation {
  const { group = 32, zeros = false, int8 = [] } = options;
  return { bits: format === 'int8' ? 8 : 4, group, zeros, scale: 'float16', int8 };
}

/** `int4 in groups of 32, qkv in int8`, for people. */
export function quantisationName({ bits, group, zeros, int8 = [] }: ModelQuantisation): string {
  const others = int8.length > 0 ? `, ${int8.join(', ')} in int8` : '';
  return `int${bits} in groups of ${group}${zeros ? ' with zero points' : ''}${others}`;
}

export function toQuantizationConfig({ bits, group, zeros, scale, int8 = [] }: ModelQuantisation): object {
  const settings = {
    quant_method: QUANT_METHOD,
    bits,
    group_size: group,
    zero_point: zeros,
    scale_dtype: scale,
    layout: LAYOUT,
  };
  return int8.length > 0 ? { ...settings, int8 } : settings;
}

const KIND_OF: Readonly<Record<string, MatrixKind>> = {
  q_proj: 'qkv',
  k_proj: 'qkv',
  v_proj: 'qkv',
  o_proj: 'out',
  gate_proj: 'gate-up',
  up_proj: 'gate-up',
  down_proj: 'down',
  lm_head: 'head',
};

/** Of one matrix of a model. @param name upstream's, `….q_proj.weight` */
export function quantisationFor(name: string, { int8 = [], ...settings }: ModelQuantisation): Quantisation {
  const kind = KIND_OF[name.split('.').at(-2)!];
  return kind !== undefined && int8.includes(kind) ? { ...settings, bits: 8 } : settings;
}

/** How the folder's matrices are stored; null: as floating-point numbers. @throws UserError for another method's */
export function storedQuantisation(dir: string): ModelQuantisation | null {
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
  const { bits, group_size: group, zero_point: zeros, scale_dtype: scale, int8 = [] } = parsed.data;
  return { bits, group, zeros, scale, int8 };
}

/** Names and shapes of what a matrix [O, I] is stored as. */
export function quantisedParts(name: string, [O, I]: readonly [number, number], quantisation: ModelQuantisation) {
  const { bits, group, zeros, scale } = quantisationFor(name, quantisation);
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
