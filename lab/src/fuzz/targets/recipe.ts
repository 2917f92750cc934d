/** Recipes: YAML with everything that YAML can do, and values put into them with `--set`. */
import fc from 'fast-check';
import { explainConfigError } from 'looprpt/internal/base/settings/config-error.js';
import { readSettings } from 'looprpt/internal/base/settings/config-file.js';
import { UserError } from 'looprpt/internal/base/user-error.js';
import { runConfigSchema } from 'looprpt/internal/train/run-config.js';
import { stringify } from 'yaml';
import { mutatedBytes } from '../mutate/bytes.js';
import { hostileJson, hostileStrings } from '../mutate/hostile.js';
import { mutatedJson } from '../mutate/json.js';
import type { CaseFiles, FuzzTarget } from '../target.js';

const RECIPE = {
  model: {
    tokenizer: 'hop-tokenizer',
    architecture: { hiddenSize: 64, intermediateSize: 192, layers: 1, heads: 4, loops: 4 },
  },
  data: { task: { task: 'hop', compact: true, joined: true, alphabet: 10 } },
  objective: { kind: 'looprpt', rho: 0.2, rolloutCount: 8 },
  out: 'runs/x',
  steps: 100,
  batch: { rows: 32, sequenceLength: 128, pack: 'whole' },
  optimizer: { learningRate: 3e-3 },
  schedule: { kind: 'cosine', warmupSteps: 50, floor: 0.05 },
};

/** What YAML has beyond JSON. */
const SPECIALS = [
  'a: &a [x,x,x]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n',
  'a: &a\n  b: *a\n',
  '<<: {__proto__: 1}\n',
  '? [1]\n: 2\n',
  '!!binary x\n',
  '!!js/function x\n',
  '--- 1\n--- 2\n',
  '%YAML 9.9\n---\nsteps: 1\n',
  '\tsteps: 1\n',
  '__proto__:\n  x: 1\n',
  '!<tag:x> y: 1\n',
  'a: *missing\n',
  `${'- '.repeat(3000)}1\n`,
  `${'{a: '.repeat(1500)}1${'}'.repeat(1500)}\n`,
  'steps: .nan\n',
  'steps: 0x1F\n',
  '? a\n',
  '|\n x\n',
  '&a [*a]\n',
  `a: &0 [x]\n${Array.from({ length: 9 }, (_, i) => `b${i}: &${i + 1} [${new Array(9).fill(`*${i}`).join(',')}]\n`).join('')}`,
];

const SET = 'set.txt';

export function recipe(): FuzzTarget {
  const yaml = Buffer.from(stringify(RECIPE));
  const file = fc.oneof(
    // YAML is slow to read, and recipes are short.
    { weight: 4, arbitrary: mutatedJson(RECIPE).map((bytes) => bytes.subarray(0, 10_000)) },
    { weight: 2, arbitrary: mutatedBytes(yaml) },
    { weight: 1, arbitrary: fc.constantFrom(...SPECIALS).map((text) => Buffer.concat([yaml, Buffer.from(text)])) },
    { weight: 1, arbitrary: fc.constantFrom(...SPECIALS).chain((text) => mutatedBytes(Buffer.from(text))) },
  );
  const step = fc.oneof(hostileStrings, fc.constantFrom('model', 'architecture', 'heads', 'data', 'steps', '0'));
  const assignment = fc
    .tuple(fc.array(step, { minLength: 1, maxLength: 3 }), fc.oneof(hostileJson, fc.constantFrom(...SPECIALS)))
    .map(([path, value]) => `${path.join('.')}=${value}`);
  return {
    cases: fc.tuple(file, fc.array(assignment, { maxLength: 2 })).map(
      ([bytes, sets]): CaseFiles => [
        ['recipe.yaml', bytes],
        [SET, Buffer.from(JSON.stringify(sets))],
      ],
    ),
    read(folder, files) {
      const sets = JSON.parse(Buffer.from(files.find(([name]) => name === SET)![1]).toString()) as string[];
      const settings = readSettings(`${folder}/recipe.yaml`, sets);
      const parsed = runConfigSchema.safeParse(settings);
      if (!parsed.success) throw new UserError(explainConfigError(runConfigSchema, settings, parsed.error));
    },
  };
}
