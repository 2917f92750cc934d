/** The guide to own text, command by command as it stands there, on a small corpus and with small recipes: each ends well, in their order. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { documentAt, taskConfig } from 'looprpt/internal/data/tasks/index.js';
import { expect, it, onTestFinished } from 'vitest';
import { runCli } from '../../../packages/looprpt/test-support/run-cli.js';
import { temporaryFolder } from '../../../packages/looprpt/test-support/temporary-folder.js';
import { commandLines } from './command-lines.js';
import { codeOf, read } from './pages.js';

const GUIDE = 'docs/guide/own-text.md';
/** What a recipe is made small by: a model, steps and rows of a test. */
const SMALL = ['steps=2', 'batch.rows=2', 'batch.sequenceLength=32', 'schedule.warmupSteps=1', 'threads=1'];
const SMALL_BASE = ['hiddenSize=32', 'intermediateSize=48', 'layers=1', 'heads=2'];

/** As it stands in the guide, with what makes it small behind it. */
function small(words: readonly string[]): string[] {
  const [name = ''] = words;
  const set = (settings: readonly string[]): string[] => settings.flatMap((setting) => ['--set', setting]);
  if (!['pretrain', 'train'].includes(name)) return [...words];
  const isBase = words.join(' ').includes('own-text-base');
  return [...words, ...set(SMALL), ...(isBase ? set(SMALL_BASE.map((shape) => `model.architecture.${shape}`)) : [])];
}

it('the commands of the guide to own text are right, in their order', async () => {
  const folder = temporaryFolder();
  const before = process.cwd();
  process.chdir(folder.path);
  onTestFinished(() => process.chdir(before));
  mkdirSync('corpus');
  for (let i = 0; i < 60; i++)
    writeFileSync(join('corpus', `${i}.txt`), documentAt(taskConfig('stories', {}), 0, 'train', i).text);
  const lines = codeOf(read(GUIDE))
    .filter(({ isBlock }) => isBlock)
    .flatMap(commandLines)
    .map(({ words }) => words)
    // The one command that is all of the others has tests of its own, which interrupt it too.
    .filter(([name]) => name !== 'start');
  expect(lines.length).toBeGreaterThan(8);
  for (const words of lines) {
    const { code, stderr } = await runCli(...small(words));
    expect(`${words.join(' ')}: ${code} ${code === 0 ? '' : stderr}`).toBe(`${words.join(' ')}: 0 `);
  }
  expect(readFileSync('report.html', 'utf8')).toContain('own-looprpt');
  for (const run of ['own-base', 'own-stage1', 'own-looprpt', 'own-tethered'])
    expect(existsSync(join('runs', run, 'checkpoints'))).toBe(true);
}, 120_000);
