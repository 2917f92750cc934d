/** Time and passes: what is measured leaves nothing behind, and what is a lot is said. */
import { join } from 'node:path';
import { liveTensors } from '@looprpt/engine';
import { expect, it } from 'vitest';
import { collectGarbage } from '../../../../engine/test-support/collect-garbage.js';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { HOP_BASE } from '../../checkpoint/shipped.js';
import { prepareShards } from '../../data/shards/prepare.js';
import { Tokenizer } from '../../text/tokenizer.js';
import { type RunConfigInput, runConfigSchema } from '../run-config.js';
import { probeStep } from './probe.js';
import { passesOf, passesRemark, timeFacts, timeRemark } from './time.js';

const config = (change: Partial<RunConfigInput>) =>
  runConfigSchema.parse({
    model: { from: HOP_BASE },
    data: { task: { task: 'hop', compact: true, joined: true, alphabet: 10 } },
    objective: { kind: 'stage1' },
    out: 'run',
    steps: 10,
    batch: { rows: 2, sequenceLength: 64 },
    threads: 1,
    ...change,
  });

it('measures steps and leaves no tensor behind', async () => {
  await collectGarbage();
  const before = liveTensors();
  expect(await probeStep(config({}), { steps: 2 })).toBeGreaterThan(0);
  expect(liveTensors()).toBe(before);
  expect(await probeStep(config({}), { signal: AbortSignal.abort() })).toBeNull();
});

it('counts passes over shards, as many as there are epochs at most', async () => {
  const folder = temporaryFolder();
  const shards = join(folder.path, 'shards');
  const documents = Array.from({ length: 8 }, () => ({ text: 'map ad bf ce fa db ec' }));
  const { counts } = await prepareShards({
    documents,
    tokenizer: await Tokenizer.load(HOP_BASE),
    out: shards,
    source: 't',
  });
  const places = counts.tokens - counts.documents;
  const run = (epochs: number | null) => config({ data: { shards }, epochs, steps: places });
  expect(passesOf(run(null))).toBe(128);
  expect(passesOf(run(3))).toBe(3);
  expect(passesRemark(run(3))).toBeNull();
  expect(passesRemark(run(null))).toContain('128.0 times');
  expect(passesOf(config({}))).toBeNull();
});

it('remarks on more than a day', () => {
  expect(timeRemark(86_400)).toBeNull();
  expect(timeRemark(200_000)).toContain('55 h 33 min');
  expect(timeFacts(config({ steps: 100 }), 0.5)).toEqual([['time', 'about 50 s, 0.500 s a step as measured here']]);
  expect(timeFacts(config({}), null)).toEqual([]);
});
