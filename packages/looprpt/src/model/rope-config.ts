/**
 * θ of the rotary embeddings out of a `config.json`, whichever way it was written: `rope_theta` beside `rope_scaling` (transformers 4),
 * or `rope_parameters` (transformers 5), one group for all layers or one for each layer type.
 *
 * Not here: scaled embeddings. They change every logit, so a file that asks for them is refused by name.
 */
import { z } from 'zod';

const DEFAULT_THETA = 10_000;

const ropeGroup = z.looseObject({
  rope_theta: z.number().positive().nullish(),
  rope_type: z.string().nullish(),
  type: z.string().nullish().describe('older name of rope_type'),
});

export const ropeKeys = {
  rope_theta: z.number().positive().nullish().describe('θ; 10,000 where nothing names it'),
  rope_scaling: ropeGroup
    .nullish()
    .describe('only rope_type default: scaled rotary embeddings are not part of the architecture'),
  rope_parameters: z
    .union([ropeGroup, z.record(z.string(), ropeGroup)])
    .nullish()
    .describe("transformers 5's form: rope_theta and rope_type together, or such a group by layer type"),
};

type RopeKeys = z.output<z.ZodObject<typeof ropeKeys>>;
type Group = z.output<typeof ropeGroup>;

/** What a file says of its rotary embeddings. */
export interface RopeReading {
  theta: number;
  /** Settings inside the groups that the default embeddings do not have, by their whole key. */
  unknown: string[];
}

/** @param fail is told the key at fault and what is wrong; must throw */
export function readRope(json: RopeKeys, fail: (key: string, message: string) => never): RopeReading {
  const groups = groupsOf(json);
  for (const [key, group] of groups) refuseScaling(key, group, fail);
  const named = [
    ...(json.rope_theta == null ? [] : [['rope_theta', json.rope_theta] as const]),
    ...groups.flatMap(([key, { rope_theta }]) =>
      rope_theta == null ? [] : [[`${key}.rope_theta`, rope_theta] as const],
    ),
  ];
  const [first] = named;
  const other = named.find(([, theta]) => theta !== first![1]);
  if (other) fail(other[0], `${other[1]}, but ${first![0]} is ${first![1]}: leave the wrong one out`);
  const unknown = groups.flatMap(([key, group]) =>
    Object.entries(group)
      .filter(([name, value]) => !(name in ropeGroup.shape) && name !== 'partial_rotary_factor' && value !== null)
      .map(([name]) => `${key}.${name}`),
  );
  return { theta: first?.[1] ?? DEFAULT_THETA, unknown };
}

function groupsOf({ rope_scaling, rope_parameters }: RopeKeys): [string, Group][] {
  const groups: [string, Group][] = rope_scaling ? [['rope_scaling', rope_scaling]] : [];
  if (!rope_parameters) return groups;
  const inner = Object.entries(rope_parameters);
  const byLayerType = inner.length > 0 && inner.every(([, value]) => typeof value === 'object' && value !== null);
  if (!byLayerType) return [...groups, ['rope_parameters', rope_parameters as Group]];
  return [...groups, ...inner.map(([type, group]): [string, Group] => [`rope_parameters.${type}`, group as Group])];
}

function refuseScaling(key: string, group: Group, fail: (key: string, message: string) => never): void {
  const type = group.rope_type ?? group.type ?? 'default';
  if (type !== 'default')
    fail(key, `rope_type ${JSON.stringify(type)} cannot be computed; the architecture has the default embeddings only`);
  const partial = group.partial_rotary_factor ?? 1;
  if (partial !== 1) fail(`${key}.partial_rotary_factor`, `${JSON.stringify(partial)}: whole heads are rotated here`);
}
