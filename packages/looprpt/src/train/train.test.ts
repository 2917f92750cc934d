/** Training from code: a loss, documents and a logger of one's own run as those that come with the package. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { liveTensors } from '@looprpt/engine';
import { beforeEach, describe, expect, it } from 'vitest';
import { collectGarbage } from '../../../engine/test-support/collect-garbage.js';
import { runCli } from '../../test-support/run-cli.js';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import type { Document } from '../data/documents/document.js';
import { documentAt, taskConfig } from '../data/tasks/index.js';
import type { LossFunction } from '../objectives/custom.js';
import { stage1Loss } from '../objectives/stage1.js';
import { presets } from './presets.js';
import { type LogEntry, type TrainConfig, train } from './train.js';

const task = taskConfig('hop', { compact: true, joined: true, alphabet: 10 });
const stage1: LossFunction = ({ student, batch }) => stage1Loss(student, batch, { kind: 'stage1', beta: 0.1 });

let root = '';
beforeEach(() => {
  root = temporaryFolder().path;
});

const config = (name: string, rest: Partial<TrainConfig> = {}): TrainConfig => ({
  model: { from: 'hop-base' },
  out: join(root, name),
  steps: 3,
  seed: 3,
  threads: 1,
  device: 'cpu',
  batch: { rows: 4, sequenceLength: 64, pack: 'whole' },
  tensorboard: false,
  checkpoint: { every: 2 },
  ...rest,
});
const weights = (model: string): Buffer => readFileSync(join(model, 'model.safetensors'));

function* made(count = Number.POSITIVE_INFINITY): Generator<Document> {
  for (let index = 0; index < count; index++) yield documentAt(task, 0, 'train', index);
}

describe('a loss of one’s own', () => {
  it('trains to the same bits as the objective that computes the same', async () => {
    await collectGarbage();
    const before = liveTensors();
    const named = await train(config('named', { data: { task }, objective: { kind: 'stage1' } }));
    const own = await train(config('own', { data: { task } }), { objective: stage1 });
    expect(weights(own.model).equals(weights(named.model))).toBe(true);
    expect(liveTensors()).toBe(before);
  });

  it('needs no more than a loss; what was not measured is NaN', async () => {
    const seen: number[] = [];
    const loss: LossFunction = (inputs) => ({ loss: stage1(inputs).loss });
    await train(config('bare', { data: { task } }), {
      objective: { loss, name: 'bare', trains: ({ isGate }) => isGate },
      onStep: ({ loss: value, meanLoops, parts, skipped }) => {
        seen.push(value);
        expect({ meanLoops, parts, skipped }).toEqual({ meanLoops: Number.NaN, parts: {}, skipped: undefined });
      },
    });
    expect(seen).toHaveLength(3);
    expect(seen.every(Number.isFinite)).toBe(true);
    const stored = JSON.parse(readFileSync(join(root, 'bare', 'config.json'), 'utf8')) as { objective: object };
    expect(stored.objective).toEqual({ kind: 'custom', name: 'bare', readsTeacher: false });
  });

  it('may read a teacher', async () => {
    const teachers: boolean[] = [];
    const loss: LossFunction = (inputs) => {
      teachers.push(inputs.teacher !== null && inputs.teacher !== inputs.student);
      return stage1(inputs);
    };
    await train(config('taught', { data: { task } }), { objective: { loss, readsTeacher: true } });
    expect(teachers).toEqual([true, true, true]);
  });

  it('is not there for the command line, which says so', async () => {
    await train(config('own', { data: { task }, steps: 2 }), { objective: stage1 });
    const { code, stderr } = await runCli('train', '--resume', '--out', join(root, 'own'), '--quiet');
    expect(code).toBe(1);
    expect(stderr).toMatch(/objective custom: is a function of the program that trained/);
  });
});

describe('documents of one’s own', () => {
  const objective = { kind: 'uniform-ce' } as const;

  it('as a stream train to the same bits as the task that makes them', async () => {
    const named = await train(config('named', { data: { task }, objective }));
    const own = await train(config('own', { objective }), { data: made() });
    expect(weights(own.model).equals(weights(named.model))).toBe(true);
  });

  it('as a list train to the same bits as the finite corpus of the same documents', async () => {
    const named = await train(config('named', { data: { task, documents: 9 }, objective, steps: 4 }));
    const own = await train(config('own', { objective, steps: 4 }), { data: [...made(9)] });
    expect(weights(own.model).equals(weights(named.model))).toBe(true);
  });

  it('end the run where the stream ends, and are closed when the run ends first', async () => {
    expect((await train(config('short', { objective }), { data: made(2) })).step).toBeLessThan(3);
    let closed = false;
    const stream = async function* () {
      try {
        yield* made();
      } finally {
        closed = true;
      }
    };
    expect((await train(config('long', { objective }), { data: stream() })).step).toBe(3);
    expect(closed).toBe(true);
  });

  it('go on after an interruption where they were', async () => {
    const whole = await train(config('whole', { objective, steps: 6 }), { data: made() });
    const stop = new AbortController();
    const options = { resume: true, data: made() };
    const first = await train(config('parts', { objective, steps: 6 }), {
      ...options,
      signal: stop.signal,
      onStep: ({ step }) => void (step === 3 && stop.abort()),
    });
    expect(first).toMatchObject({ step: 3, interrupted: true });
    const second = await train(config('parts', { objective, steps: 6 }), { ...options, data: made() });
    expect(weights(second.model).equals(weights(whole.model))).toBe(true);
  });
});

describe('a logger', () => {
  it('is told everything, in order', async () => {
    const entries: LogEntry[] = [];
    await train(config('logged', { ...presets.fast, data: { task }, steps: 2 }), {
      logger: (entry) => entries.push(entry),
    });
    const kinds = entries.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind !== 'checkpoint')).toEqual(['start', 'step', 'step', 'end']);
    expect(kinds).toContain('checkpoint');
    expect(entries.at(-1)).toMatchObject({ outcome: { step: 2, interrupted: false } });
  });
});

describe('what is refused, by name', () => {
  it.each<[string, Partial<TrainConfig>, Parameters<typeof train>[1], RegExp]>([
    ['a key that is none', { setps: 1 } as never, {}, /train: setps: no such key; did you mean steps\?/],
    ['two objectives', { objective: { kind: 'stage1' } }, { objective: stage1 }, /leave objective and preset out/],
    ['a preset beside a loss', { preset: 'fast' }, { objective: stage1 }, /leave objective and preset out/],
    ['two sources of data', { data: { task } }, { data: made() }, /leave data out/],
    ['epochs of a stream', { epochs: 2 }, { data: made() }, /epochs: a stream of documents is read once/],
    ['no data', { data: undefined as never }, {}, /train: data: missing/],
    ['what is no document', {}, { data: ['text'] as never }, /documents: document 1: is "text", not \{ text/],
    ['a list without documents', {}, { data: [] }, /documents: holds no document/],
    ['an unknown device', { data: { task }, device: 'gpu' }, {}, /device: "gpu" is none of cpu, cuda, cuda:N/],
  ])('%s', async (_name, rest, options, message) => {
    const objective = options?.objective || rest.preset ? {} : { objective: { kind: 'stage1' } as const };
    await expect(train(config('refused', { ...objective, ...rest }), options)).rejects.toThrow(message);
  });

  it('a stream of what is no document, at its number', async () => {
    const stream = (function* (): Generator<Document> {
      yield* made(2);
      yield { text: 'a b', loss: [[0, 9]] };
    })();
    const run = train(config('refused', { objective: { kind: 'stage1' } }), { data: stream });
    await expect(run).rejects.toThrow(/documents: document 3: range \[0, 9\] ends behind the text's 3 characters/);
  });
});

it('a preset spread into a configuration is the preset of that name', async () => {
  const configs: object[] = [];
  const logger = (entry: LogEntry): void => void (entry.kind === 'start' && configs.push(entry.config));
  const spread = config('same', { ...presets.tethered, data: { task }, steps: 1, teacherDecay: 0.5 });
  await train(spread, { logger });
  const named = config('same', { preset: 'tethered', data: { task }, steps: 1, teacherDecay: 0.5 });
  await train(named, { logger, resume: true });
  expect(configs[1]).toEqual(configs[0]);
});
