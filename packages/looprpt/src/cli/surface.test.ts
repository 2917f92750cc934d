import { readdirSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, test } from 'vitest';
import { allCommands, cliPage, exampleOf } from '../../test-support/cli-page.js';
import { runCli } from '../../test-support/run-cli.js';
import { explainConfigError } from '../base/settings/config-error.js';
import { readSettings } from '../base/settings/config-file.js';
import type { Cli } from '../base/terminal/cli.js';
import { mixtureSourceSchema } from '../data/documents/source.js';
import { expandPreset } from '../train/expand-preset.js';
import { runConfigSchema } from '../train/run-config.js';
import { program } from './main.js';

const silent = (): Cli => ({ stdout: new PassThrough(), stderr: new PassThrough(), args: [], exitCode: 0 });
const commands = allCommands(program(silent()));
const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

const COMMON = ['--device', '--dtype', '--threads', '--seed', '--quiet', '--json'];
const DOCUMENTS = ['--dataset', '--split', '--field', '--prompt', '--completion'];
const TRAINING = ['--config', '--set', '--out', '--resume', '--extend', '--dry-run'];

/** The whole command line. A change here is a change of what scripts of users rely on: make it on purpose. */
const SURFACE: Record<string, string[]> = {
  start: ['--out', '--input', '--dataset', '--model', '--minutes', '--threads', '--seed', '--quiet'],
  setup: [...COMMON, '--yes'],
  doctor: COMMON,
  launch: [
    ...['<command...>', '--nproc', '--max-restarts', '--grace', '--nnodes', '--node-rank', '--master-addr'],
    ...['--master-port', '--quiet'],
  ],
  'data make': [...COMMON, '[task]', '--out', '--count', '--split', '--set', '--list'],
  'data prepare': [
    ...COMMON,
    ...[
      '--model-or-tokenizer',
      '--out',
      '--input',
      '--mixture',
      ...DOCUMENTS,
      '--whole-loss',
      '--text-split',
      '--on-broken',
    ],
    '--hold-out',
    '--shard-tokens',
  ],
  'tokenizer train': [
    ...COMMON,
    ...['--vocab', '--out', '--input', '--mixture', ...DOCUMENTS, '--text-split', '--on-broken', '--min-frequency'],
  ],
  pretrain: [...COMMON, ...TRAINING],
  train: [...COMMON, ...TRAINING],
  eval: [
    ...COMMON,
    '--dry-run',
    ...['--model', '--data', '--tasks', '--out', '--thresholds', '--buckets', '--reference', '--compare'],
    ...['--max-tokens', '--count', '--set', '--sequence-length', '--rows', '--shots', '--limit'],
    ...[...DOCUMENTS, '--whole-loss', '--text-split', '--on-broken', '--weights'],
  ],
  blend: [
    ...COMMON,
    ...['<run>', '--data', '--shares', '--max-tokens', '--count', '--set'],
    ...[...DOCUMENTS, '--whole-loss', '--text-split', '--on-broken'],
  ],
  lens: [...COMMON, '--model', '--text', '--ids', '--tau', '--top', '--logits', '--weights'],
  quantize: [
    ...COMMON,
    ...['--model', '--out', '--weights', '--group', '--zero-points', '--keep-int8'],
    ...['--calibrate', '--calibration-tokens', '--fit-passes', '--count', '--set'],
    ...[...DOCUMENTS, '--whole-loss', '--text-split', '--on-broken'],
  ],
  generate: [
    ...COMMON,
    '--dry-run',
    ...[
      '--model',
      '--weights',
      '--prompt',
      '--max-tokens',
      '--exit-rule',
      '--exit-threshold',
      '--max-loops',
      '--speculate',
      '--cache',
      '--temperature',
      '--top-p',
      '--top-k',
    ],
    ...['--min-p', '--repetition-penalty', '--chat', '--stream'],
  ],
  studio: [...COMMON, '[runs...]', '--model', '--host', '--port', '--allow-without-key'],
  serve: [
    ...COMMON,
    '--dry-run',
    ...[
      '--model',
      '--name',
      '--host',
      '--port',
      '--weights',
      '--allow-without-key',
      '--allow-origin',
      '--exit-threshold',
      '--max-loops',
      '--speculate',
    ],
    ...[
      '--max-batch',
      '--max-length',
      '--cache-tokens',
      '--cache',
      '--prefill',
      '--no-prefix-reuse',
      '--no-reproducible',
    ],
    ...['--queue', '--request-timeout', '--max-body'],
  ],
  report: [...COMMON, '<run...>', '--out', '--figure', '--title', '--tau'],
};

describe('the surface', () => {
  it('is these commands with these options', () => {
    const actual = Object.fromEntries(
      commands.map(({ name, command }) => {
        const words = command.registeredArguments.map((argument) => {
          const word = `${argument.name()}${argument.variadic ? '...' : ''}`;
          return argument.required ? `<${word}>` : `[${word}]`;
        });
        return [name, [...words, ...command.options.map((option) => option.long!)].sort()];
      }),
    );
    const expected = Object.fromEntries(Object.entries(SURFACE).map(([name, words]) => [name, [...words].sort()]));
    expect(actual).toEqual(expected);
  });

  it('has docs/reference/cli.md as its page (after a change: npx vitest run packages/looprpt/src/cli/surface.test.ts -u)', async () => {
    await expect(cliPage(program(silent()))).toMatchFileSnapshot(`${ROOT}docs/reference/cli.md`);
  });
});

describe('help', () => {
  it.each(commands.map(({ name }) => name))(
    'of %s ends in an example of that command, and is no error',
    async (name) => {
      const { code, stdout, stderr } = await runCli(...name.split(' '), '--help');
      expect(code).toBe(0);
      expect(stderr).toBe('');
      expect(stdout).toMatch(new RegExp(`\\nExample:\\n {2}npx looprpt ${name} ?.*\\n$`));
      expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThan(200);
    },
  );

  it('has examples that parse as far as their options', () => {
    for (const { name, command } of commands) {
      const words = exampleOf(command)!.match(/"[^"]*"|\S+/g)!;
      // Behind a lone -- stands another command.
      const own = words.includes('--') ? words.slice(0, words.indexOf('--')) : words;
      const given = own.filter((word) => word.startsWith('--'));
      const known = command.options.map((option) => option.long);
      expect(known, `${name}: ${given}`).toEqual(expect.arrayContaining(given));
    }
  });

  it('of the program and of groups, and the version', async () => {
    expect(await runCli('--help')).toMatchObject({ code: 0, stderr: '' });
    expect((await runCli('data', '--help')).stdout).toContain('npx looprpt data make');
    expect((await runCli('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect((await runCli()).code).toBe(1);
  });
});

test.each(readdirSync(`${ROOT}packages/looprpt/recipes`))('recipes/%s is a valid configuration', (file) => {
  const settings = readSettings(`${ROOT}packages/looprpt/recipes/${file}`);
  expandPreset(settings, file);
  const schema = 'parts' in settings ? mixtureSourceSchema : runConfigSchema;
  const parsed = schema.safeParse(settings);
  expect(parsed.success ? '' : explainConfigError(schema, settings, parsed.error)).toBe('');
});
