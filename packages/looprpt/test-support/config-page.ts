/** `docs/reference/config.md`: every key of a recipe, from the schema of a run. A test holds the file against it. */
import { z } from 'zod';
import { PRESETS } from '../src/train/presets.js';
import { runConfigSchema } from '../src/train/run-config.js';

/** A part of a JSON Schema; only what is read here. */
interface Node {
  type?: string;
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  description?: string;
  properties?: Record<string, Node>;
  required?: string[];
  anyOf?: Node[];
  oneOf?: Node[];
  items?: Node;
}

export interface Key {
  path: string;
  type: string;
  unit: string;
  default: string;
  meaning: string;
}

/** Units by the last part of a path, where the meaning is a quantity. */
const UNITS: Record<string, string> = {
  hiddenSize: 'numbers',
  intermediateSize: 'numbers',
  headDim: 'numbers',
  vocabSize: 'tokens',
  loops: 'loops',
  documents: 'documents',
  rho: 'share',
  tau: 'probability',
  lambdaBase: 'nats / loop',
  distillAnchor: 'share',
  kappaShare: 'share',
  uniformShare: 'share',
  slope: '1 / nats',
  threshold: 'nats',
  rolloutCount: 'passes',
  steps: 'steps',
  epochs: 'passes',
  rows: 'rows',
  sequenceLength: 'tokens',
  accumulate: 'micro-batches',
  warmupSteps: 'steps',
  floor: 'share',
  blend: 'share',
  every: 'steps',
  keep: 'checkpoints',
  count: 'checkpoints',
  keepEvery: 'checkpoints',
  stopAfter: 'steps',
  rollbackAfter: 'steps',
  maxRollbacks: 'times',
  bucketMegabytes: 'MB',
  timeLimitSeconds: 's',
  silenceSeconds: 's',
  threads: 'threads',
};

/** Every key below a node; alternatives follow each other. */
export function keysOf(node: Node, prefix = ''): Key[] {
  const own = Object.entries(node.properties ?? {}).flatMap(([name, inner]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    const isRequired = node.required?.includes(name) ?? false;
    const below = groupsOf(inner).flatMap((group) => keysOf(group, path));
    return below.length > 0 ? below : [keyOf(path, inner, isRequired)];
  });
  return [...own, ...alternativesOf(node).flatMap((branch) => keysOf(branch, prefix))];
}

function alternativesOf(node: Node): Node[] {
  return node.anyOf ?? node.oneOf ?? [];
}

/** What has keys of its own: the node, or some of its alternatives. */
function groupsOf(node: Node): Node[] {
  return [node, ...alternativesOf(node).flatMap(groupsOf)].filter(({ properties }) => properties !== undefined);
}

function keyOf(path: string, node: Node, isRequired: boolean): Key {
  const name = path.split('.').at(-1)!;
  const given = node.default === undefined ? undefined : JSON.stringify(node.default);
  return {
    path,
    type: typeOf(node),
    unit: path.startsWith('data.task.') ? '' : (UNITS[name] ?? ''),
    default: given ?? (isRequired ? 'needed' : '–'),
    meaning: node.description ?? '',
  };
}

function typeOf(node: Node): string {
  if (node.const !== undefined) return JSON.stringify(node.const).replaceAll('"', '');
  if (node.enum) return node.enum.map(String).join(', ');
  if (node.type === 'array') return `list of ${typeOf(node.items ?? {})}`;
  const kinds = alternativesOf(node).map(typeOf);
  return kinds.length > 0 ? [...new Set(kinds)].join(' or ') : (node.type ?? 'object');
}

function schemaOf(schema: z.ZodType): Node {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Node;
}

/** The keys of a run, with alternatives (kinds of objective, tasks) apart. */
export function runKeys(): { title: string; about: string; keys: Key[] }[] {
  const { model, data, objective, ...rest } = schemaOf(runConfigSchema).properties!;
  const named = (node: Node, key: string): string => String(node.properties![key]!.const);
  const [shards, task, given] = alternativesOf(data!);
  const tasks = alternativesOf(task!.properties!.task!);
  const { task: _, ...ofTask } = task!.properties!;
  const group = (properties: Record<string, Node>, required: string[] = []): Node => ({ properties, required });
  const top = Object.entries(rest).filter(([, node]) => groupsOf(node).length === 0);
  return [
    {
      title: 'The run',
      about: 'At the top of the file, beside `preset`.',
      keys: keysOf(group(Object.fromEntries(top), ['out', 'steps'])),
    },
    {
      title: 'model',
      about: 'Either `from`, or `architecture` with `tokenizer`.',
      keys: keysOf(group({ model: model! })),
    },
    {
      title: 'data',
      about: 'Either `shards`, or `task` with what stands below it. `given` is for programs, not for recipes.',
      keys: keysOf(group({ data: { anyOf: [shards!, group(ofTask), given!] } })),
    },
    ...tasks.map((node) => ({
      title: `data.task: ${named(node, 'task')}`,
      about: `A generated task. \`looprpt data make ${named(node, 'task')}\` writes it as JSONL, with the same keys under \`--set\`.`,
      keys: keysOf(group({ data: group({ task: without(node, 'task') }) })),
    })),
    ...alternativesOf(objective!).map((node) => ({
      title: `objective.kind: ${named(node, 'kind')}`,
      about: OBJECTIVES[named(node, 'kind')] ?? '',
      keys: keysOf(group({ objective: without(node, 'kind') })),
    })),
    ...Object.entries(rest)
      .filter(([, node]) => groupsOf(node).length > 0)
      .map(([name, node]) => ({ title: name, about: '', keys: keysOf(group({ [name]: node })) })),
  ];
}

function without(node: Node, key: string): Node {
  const { [key]: _, ...properties } = node.properties!;
  return { ...node, properties };
}

const OBJECTIVES: Record<string, string> = {
  looprpt: 'LoopRPT. The equations behind each key are in [the algorithm](../design/algorithm.md).',
  stage1: "Ouro's stage I: expected cross-entropy under the exit pdf, and an entropy bonus.",
  gate: "Ouro's stage II: the gate alone learns whether a further loop helps.",
  'uniform-ce': 'Cross-entropy at every loop alike; the gate learns as in stage II.',
  'hard-token-ce': "The same at the teacher's hard tokens only.",
  custom: 'A loss that a program gives to `train`; not for recipes. A run folder says so in its `config.json`.',
};

export function configPage(): string {
  const sections = runKeys().map(({ title, about, keys }) =>
    [`## ${title}`, about, keys.length > 0 ? keyTable(keys) : 'No further keys.'].filter(Boolean).join('\n\n'),
  );
  const presets = Object.entries(PRESETS).map(([name, { about }]) => `| \`${name}\` | ${about} |`);
  return `# Keys of a recipe

A recipe is a YAML or JSON file for \`pretrain\` and \`train\`. Every key stands here with its type, unit, default and meaning.
\`--set key.path=value\` replaces one; \`--dry-run\` prints the resolved whole. Unknown keys are errors that name the nearest key.
Paths are relative to the folder that the command is started in. *needed* means that there is no default, a dash that the meaning says it.

Order, the later winning: the defaults below; what this machine has (threads, device); on \`--resume\` what the run had; the preset;
the file; \`--set\`; the command's own options.

## preset

\`preset: NAME\` stands for a whole set of LoopRPT's settings. What the recipe says itself wins.

| preset | is |
|---|---|
${presets.join('\n')}

${sections.join('\n\n')}
`;
}

function keyTable(keys: readonly Key[]): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  const rows = keys.map(
    ({ path, type, unit, default: given, meaning }) =>
      `| \`${path}\` | ${cell(type)} | ${unit} | ${cell(short(given))} | ${cell(meaning)} |`,
  );
  return ['| key | type | unit | default | meaning |', '|---|---|---|---|---|', ...rows].join('\n');
}

/** A default that is a whole configuration is not written out. */
function short(given: string): string {
  return given.length > 60 ? '–' : given;
}

/** Units that no key has. */
export function unusedUnits(): string[] {
  const names = new Set(runKeys().flatMap(({ keys }) => keys.map(({ path }) => path.split('.').at(-1)!)));
  return Object.keys(UNITS).filter((name) => !names.has(name));
}
