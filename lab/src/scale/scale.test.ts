/** docs/design/scale.md and docs/guide/clusters.md against the code: the table, and the form of what one copies out of the guide. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Cli } from 'looprpt/internal/base/terminal/cli.js';
import { program } from 'looprpt/internal/cli/main.js';
import { parameterCount } from 'looprpt/internal/model/config.js';
import { planRun } from 'looprpt/internal/train/plan/plan.js';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { allCommands } from '../../../packages/looprpt/test-support/cli-page.js';
import { MODELS, recipe } from './cases.js';
import { H100_NODE, stepTime } from './machine.js';
import { scaleTable } from './table.js';

const page = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../docs/${path}`, import.meta.url)), 'utf8');
const GUIDE = page('guide/clusters.md');

/** The code blocks of a language. */
function blocks(language: string): string[] {
  return [...GUIDE.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(([, text]) => text!);
}

describe('docs/design/scale.md', () => {
  it('has the table that npm run scale-table prints', () => {
    expect(page('design/scale.md')).toContain(`<!-- npm run scale-table -->\n${scaleTable()}\n`);
  });
});

describe('docs/guide/clusters.md', () => {
  it('has shell lines and a Slurm script that a shell can read', () => {
    for (const text of [...blocks('sh'), ...blocks('bash')]) {
      const { status, stderr } = spawnSync('bash', ['-n'], { input: text, encoding: 'utf8' });
      expect(stderr).toBe('');
      expect(status).toBe(0);
    }
    const [script] = blocks('bash');
    expect(script!.split('\n').filter((line) => line.startsWith('#SBATCH')).length).toBeGreaterThan(5);
  });

  it('gives only options that there are', () => {
    const cli: Cli = { stdout: new PassThrough(), stderr: new PassThrough(), args: [], exitCode: 0 };
    const known = new Map(
      allCommands(program(cli)).map(({ name, command }) => [name, command.options.map((option) => option.long!)]),
    );
    // The words of each command of looprpt, a launcher's before and behind its --.
    const kubernetes = /command: (\[.*\])\n\s+args:\n((?:\s+- .*\n)+)/.exec(GUIDE)!;
    const args = [...kubernetes[2]!.matchAll(/- (.*)/g)].map(([, arg]) => arg!);
    const lines = [...blocks('sh'), ...blocks('bash')].flatMap((text) => text.split('\n'));
    const commands = lines
      .filter((line) => line.includes('looprpt '))
      .map((line) => line.slice(line.indexOf('looprpt ') + 8))
      .concat(`launch ${args.join(' ')}`)
      .flatMap((line) => line.split(' -- '))
      .map((line) => line.trim().split(/\s+/));
    expect(commands.length).toBeGreaterThan(8);
    for (const [name, ...words] of commands)
      for (const word of words.filter((word) => word.startsWith('--')))
        expect(known.get(name!), `${name} ${word}`).toContain(word.split('=')[0]);
  });

  it('has a Kubernetes manifest whose parts agree', () => {
    const [service, job] = parseAllDocuments(blocks('yaml')[0]!).map((document) => {
      expect(document.errors).toEqual([]);
      return document.toJS() as Record<string, never>;
    });
    const { metadata, spec } = job as unknown as {
      metadata: { name: string };
      spec: { completions: number; parallelism: number; completionMode: string; template: { spec: PodSpec } };
    };
    interface PodSpec {
      subdomain: string;
      containers: { args: string[]; resources: { limits: Record<string, number> }; volumeMounts: { name: string }[] }[];
      volumes: { name: string }[];
    }
    const pod = spec.template.spec;
    const [container] = pod.containers;
    expect(service).toMatchObject({
      metadata: { name: pod.subdomain },
      spec: { clusterIP: 'None', selector: { 'job-name': metadata.name } },
    });
    expect(spec).toMatchObject({ completionMode: 'Indexed', parallelism: spec.completions });
    expect(container!.args).toEqual(
      expect.arrayContaining([
        `--nnodes=${spec.completions}`,
        `--nproc=${container!.resources.limits['nvidia.com/gpu']}`,
        `--master-addr=${metadata.name}-0.${pod.subdomain}`,
      ]),
    );
    expect(container!.volumeMounts.map(({ name }) => name).sort()).toEqual(pod.volumes.map(({ name }) => name).sort());
  });
});

describe('the expected speed', () => {
  const model = MODELS[0].config;
  const time = (ranks: number, spread: Parameters<typeof recipe>[1]) => {
    const config = recipe({ kind: 'stage1' }, spread);
    return stepTime(planRun({ config, model, ranks }), config, ranks, H100_NODE);
  };

  it('is of the released models', () => {
    expect(MODELS.map(({ config }) => parameterCount(config))).toEqual([1_434_652_673, 2_667_974_657]);
  });

  it('of one GPU is the products at the assumed share of its peak', () => {
    const { compute, exposed, tokensPerSecond } = time(1, { zero: false, recomputeLoops: false });
    expect(exposed).toBe(0);
    // Six operations for each weight that a token passes, four times the stack's, and attention.
    const embedding = model.vocabSize * model.hiddenSize;
    const passed = 4 * (parameterCount(model) - embedding);
    const attention = 4 * 24 * 4 * 2048 * (2049 / 2) * 3;
    const expected = (6 * passed + attention) / (989e12 * 0.4);
    expect((8 * 2048 * expected) / compute).toBeCloseTo(1, 3);
    expect(tokensPerSecond).toBeCloseTo((8 * 2048) / compute, 6);
  });

  it('of several hides sums behind the backward pass, unless loops are run again in it', () => {
    const beside = time(64, { zero: false, recomputeLoops: false });
    const behind = time(64, { zero: false, recomputeLoops: true });
    const sent = (2 * (63 / 64) * 4 * 1_434_652_673) / 40e9;
    expect(behind.exposed).toBeCloseTo(sent, 9);
    expect(beside.exposed).toBeCloseTo(sent - Math.min(sent, (2 / 3) * (beside.compute / 8)), 9);
  });
});
