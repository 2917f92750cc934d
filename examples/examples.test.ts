/** Every example runs to its end, as the program that its header says, for a few steps. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const HERE = fileURLToPath(new URL('.', import.meta.url));

/** Arguments of a short run, what it must print, and the files that it leaves. */
const EXAMPLES: Record<string, { args: string[]; prints: RegExp; leaves?: string[] }> = {
  'train.ts': {
    args: ['2', 'run'],
    prints:
      /τ 0\.5: \d+\.\d % of the answers, \d\.\d\d loops\n[\s\S]*area − the base's, points: -?\d+\.\d\d, 95 % -?\d/,
    leaves: ['run/config.json', 'run/metrics.jsonl'],
  },
  'generate.ts': {
    args: [],
    prints: /^map .* → [a-j] \([1-4] of 4 loops\).*\nmap .* → [a-j] \([1-4] of 4 loops\)/,
  },
  'serve.ts': {
    args: [],
    prints: /^http:\/\/127\.0\.0\.1:\d+ serves hop-base\n.* → ?[a-j].* \(\d\.\d\d loops a token\)\n$/,
  },
  'own-objective.ts': { args: ['20', 'run'], prints: /step 20: CE \d\.\d+, \d\.\d+ loops\n/ },
  'own-data.ts': { args: ['2', 'run'], prints: /trained on 2 batches of sums: run/ },
  // Without trackio's client it says so and ends.
  'trackio.ts': { args: ['3', 'run'], prints: /^(3 steps in trackio's project looprpt\n|trackio is not installed)/m },
  'own-logger.ts': { args: ['3', 'run'], prints: /3 steps in .*metrics\.csv/, leaves: ['metrics.csv'] },
};

/** @returns what it printed */
function runExample(name: string, args: readonly string[], cwd: string): string {
  const program = join(HERE, 'dist', name.replace(/\.ts$/, '.js'));
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${name} ended with ${status}: ${stderr}`);
  return stdout;
}

describe('an example', () => {
  it('is in the list', () => {
    const there = readdirSync(HERE).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
    expect(there.sort()).toEqual(Object.keys(EXAMPLES).sort());
  });

  it.each(Object.entries(EXAMPLES))('%s', (name, { args, prints, leaves = [] }) => {
    const cwd = mkdtempSync(join(tmpdir(), 'example-'));
    expect(runExample(name, args, cwd)).toMatch(prints);
    for (const file of leaves) expect(existsSync(join(cwd, file)), file).toBe(true);
  });

  it('uses what the packages export, and nothing else of them', () => {
    for (const name of Object.keys(EXAMPLES)) {
      const imports = [...readFileSync(join(HERE, name), 'utf8').matchAll(/ from '([^']+)'/g)].map(([, from]) => from);
      expect(
        imports.filter((from) => !from!.startsWith('node:') && !['looprpt', '@looprpt/engine'].includes(from!)),
      ).toEqual([]);
    }
  });
});
