/** A tiny study end to end: what is held equal, equal compute, resuming after a kill, and what is written of it. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { liveTensors } from '@looprpt/engine';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collectGarbage } from '../../../packages/engine/test-support/collect-garbage.js';
import { temporaryFolder } from '../../../packages/looprpt/test-support/temporary-folder.js';
import { aggregate } from './aggregate.js';
import { settingsOf } from './arm.js';
import { statements } from './claims.js';
import { type Conducted, conduct, forecast } from './conduct.js';
import { facts } from './facts.js';
import { studyPage } from './page.js';
import { BUDGETS } from './planner.js';
import { drawAll, PAGES, publish } from './publish.js';
import { differenceOf, rowOf, type StudyResult } from './result.js';
import { readResult, writeResult } from './result-file.js';
import { type RunUnit, unitRunner } from './run-unit.js';
import { Store } from './store.js';
import type { StudyInput } from './study.js';
import { studyMarkdown } from './study-markdown.js';
import { tinyStudy } from './tiny-study.js';
import type { ArmUnit, Unit } from './unit.js';

const VARIANT = 'closed-batch';
const OPTIONS = { threads: 1, inputs: {}, budgets: BUDGETS, tune: true, quiet: true } as const;

async function conductIn(folder: string, wrap: (run: RunUnit) => RunUnit = (run) => run): Promise<Conducted> {
  const store = new Store(folder);
  return conduct({ ...OPTIONS, study: tinyStudy(), store, run: wrap(unitRunner(store)) });
}

function outcomeOf(conducted: Conducted): StudyResult {
  return aggregate(conducted, { command: 'npm run evidence -- tiny', whole: true, resamples: 50 });
}

function factsText(result: StudyResult): string {
  return facts(result)
    .map(({ what, text }) => `${what}: ${text}`)
    .join(' ');
}

/** Without what the clock says. */
function timeless(result: StudyResult): unknown {
  return JSON.parse(JSON.stringify(result, (key, value) => (key === 'seconds' ? 0 : value)));
}

let folder: string;
let conducted: Conducted;
let result: StudyResult;
let ran: Unit[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'looprpt-evidence-'));
  ran = [];
  await collectGarbage();
  const live = liveTensors();
  conducted = await conductIn(folder, (run) => (unit, onProgress) => {
    ran.push(unit);
    return run(unit, onProgress);
  });
  expect(liveTensors()).toBe(live);
  result = outcomeOf(conducted);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('what is held equal', () => {
  it('every arm of a seed starts from the base and is judged on the same batches; seeds have bases of their own', () => {
    const starts = conducted.study.seeds.map(
      (_, seed) => new Set(conducted.runs.map(({ results }) => results[seed]!.start)),
    );
    for (const start of starts) expect(start.size).toBe(1);
    expect([...starts[0]!]).not.toEqual([...starts[1]!]);
    const judged = conducted.runs.flatMap(({ results }) => results.map(({ evaluated }) => evaluated));
    expect(new Set(judged).size).toBe(1);
  });

  it('with equal tokens, steps and tokens are; with equal compute, FLOPs are, to within a step', () => {
    const trained = result.rows.filter(({ role }) => role !== 'base');
    const tokens = trained.filter(({ budget }) => budget === 'tokens');
    expect(new Set(tokens.map(({ steps }) => steps))).toEqual(new Set([3]));
    expect(new Set(tokens.map((row) => row.tokens)).size).toBe(1);
    const allowed = rowOf(result, 'looprpt', 'tokens')!.flops;
    for (const { steps, flops, budget } of trained) {
      if (budget === 'compute') expect(Math.abs(flops - allowed)).toBeLessThanOrEqual(flops / steps);
    }
    expect(rowOf(result, 'gate', 'compute')!.steps).toBeGreaterThan(3);
  });

  it('arms for equal tokens alone are in the first half as they were, and not in the second', async () => {
    const { path } = temporaryFolder();
    cpSync(folder, path, { recursive: true });
    const store = new Store(path);
    const study = tinyStudy({ equalTokensOnly: [VARIANT] });
    const part = outcomeOf(await conduct({ ...OPTIONS, store, run: unitRunner(store), study }));
    expect(rowOf(part, VARIANT, 'tokens')).toEqual(rowOf(result, VARIANT, 'tokens'));
    expect(rowOf(part, VARIANT, 'compute')).toBeUndefined();
    const others = ({ rows }: StudyResult) => rows.filter(({ arm }) => arm !== VARIANT);
    expect(others(part)).toEqual(others(result));
    expect(statements(part).length).toBeLessThan(statements(result).length);
    const { title } = study.arms.find(({ name }) => name === VARIANT)!;
    expect(factsText(part)).toContain(`Compared for equal tokens alone: “${title}”.`);
    expect(factsText(result)).not.toContain('for equal tokens alone');
  });

  it('with compute in CPU seconds, arms spend what the reference took for equal tokens, to within a step', async () => {
    const { path } = temporaryFolder();
    cpSync(folder, path, { recursive: true });
    const store = new Store(path);
    // The machine's clock is replaced: a step of each arm took as many seconds as its name has letters.
    for (const { arm, budget, trial } of conducted.runs) {
      if (budget !== 'tokens' || !trial) continue;
      const ofArm = (unit: Unit): unit is ArmUnit =>
        unit.kind === 'arm' && unit.recipe.steps === 3 && isDeepStrictEqual(unit.settings, settingsOf(arm, trial));
      for (const unit of ran.filter(ofArm)) {
        const result = store.read(unit)!;
        const { training } = result;
        store.write(unit, { ...result, training: { ...training!, seconds: arm.name.length * training!.steps } });
      }
    }
    const options = { ...OPTIONS, store, run: unitRunner(store) };
    const { runs } = await conduct({ ...options, study: tinyStudy({ computeBy: 'cpu' }) });
    const allowed = 3 * 'looprpt'.length;
    for (const { arm, budget, steps } of runs)
      if (arm.objective && budget === 'compute') expect(steps).toBe(Math.max(1, Math.round(allowed / arm.name.length)));
    expect(runs.filter(({ budget, steps }) => budget === 'compute' && steps > 3)).not.toHaveLength(0);
  });

  it('arms that were not held equal are not compared', () => {
    const [first, ...others] = conducted.runs;
    const tamper = (change: (result: (typeof first & object)['results'][number]) => object): Conducted => ({
      ...conducted,
      runs: [{ ...first!, results: first!.results.map((one) => ({ ...one, ...change(one) })) }, ...others],
    });
    expect(() => outcomeOf(tamper(() => ({ start: 'other' })))).toThrow('different start weights');
    expect(() => outcomeOf(tamper(() => ({ evaluated: 'other' })))).toThrow('judged on different batches');
    const shuffled = { steps: 25, tokens: 1, lossTokens: 1, seconds: 1, skipped: 0, order: ['other'] };
    const proper = { ...shuffled, order: ['one'] };
    const withOrders = {
      ...conducted,
      runs: conducted.runs.map((one, i) => ({
        ...one,
        results: one.results.map((item) => ({ ...item, training: i === 1 ? shuffled : proper })),
      })),
    };
    expect(() => outcomeOf(withOrders)).toThrow('trained on different batches');
  });
});

describe('the work', () => {
  it('is done once: each base, each trial on the tuning split, each arm and budget', () => {
    const bases = ran.filter(({ kind }) => kind === 'base');
    expect(bases).toHaveLength(3);
    const tuned = ran.filter((unit) => unit.kind === 'arm' && 'split' in unit.heldOut && unit.heldOut.split === 'tune');
    // Four arms, two trials, one seed.
    expect(tuned).toHaveLength(8);
    for (const unit of tuned) expect(unit.seed).toBe(7);
    // Two seeds: five arms for equal tokens, and those of equal compute whose steps differ.
    const arms = ran.length - bases.length - tuned.length;
    const others = result.rows.filter(
      ({ budget, steps, role }) => budget === 'compute' && steps !== 3 && role !== 'base',
    );
    expect(arms).toBe(2 * (5 + others.length));
  });

  it('every arm has the setting with the largest area on the tuning split', () => {
    for (const { chosen, trials } of conducted.tuning) {
      if (chosen === null) expect(trials).toEqual([]);
      else expect(trials.find(({ trial }) => trial === chosen)!.area).toBe(Math.max(...trials.map(({ area }) => area)));
    }
  });

  it('goes on after a kill with what is missing, and comes to the same outcome', async () => {
    const { path } = temporaryFolder();
    let done = 0;
    let before: Promise<unknown> = Promise.resolve();
    const killed = conductIn(path, (run) => (unit, onProgress) => {
      const now = before.then(async () => {
        if (done === 7) throw new Error('killed');
        await run(unit, onProgress);
        done++;
      });
      before = now.catch(() => {});
      return now;
    });
    await expect(killed).rejects.toThrow('killed');
    expect(readdirSync(join(path, 'units'))).toHaveLength(7);
    const again: Unit[] = [];
    const resumed = await conductIn(path, (run) => (unit, onProgress) => {
      again.push(unit);
      return run(unit, onProgress);
    });
    expect(again).toHaveLength(ran.length - 7);
    expect(timeless(outcomeOf(resumed))).toEqual(timeless(result));
  });

  it('a unit that is half written does not count', async () => {
    const { path } = temporaryFolder();
    cpSync(folder, path, { recursive: true });
    const [file] = readdirSync(join(path, 'units'));
    writeFileSync(join(path, 'units', `${file}.partial`), '{"form');
    rmSync(join(path, 'units', file!));
    const again: Unit[] = [];
    await conductIn(path, (run) => (unit, onProgress) => {
      again.push(unit);
      return run(unit, onProgress);
    });
    expect(again).toHaveLength(1);
  });
});

describe('a study that the frontier decides, on a domain that is not its base', () => {
  it('chooses by it, says what it is of every arm, and what the arms forget', async () => {
    const { path } = temporaryFolder();
    const store = new Store(path);
    const { corpus } = tinyStudy();
    const baseTask = { task: 'mano' } as const;
    const study = tinyStudy({
      decides: 'frontier',
      corpus: { ...corpus, baseTask } as StudyInput['corpus'],
      arms: tinyStudy().arms.filter(({ name }) => name !== 'gate'),
      seeds: [1, 2],
    });
    const made = await conduct({ ...OPTIONS, budgets: ['tokens'], store, run: unitRunner(store), study });
    const outcome = outcomeOf(made);
    const base = rowOf(outcome, 'base', 'tokens')!;
    expect(base.frontier!.least.base.share).toBe(1);
    for (const row of outcome.rows) {
      const { frontier, general, arm } = row;
      expect(frontier!.within.map(({ loops }) => loops)).toEqual([1.5, 2, 2.5]);
      expect(general!.accuracy).toHaveLength(3);
      if (arm === 'base') continue;
      const best = differenceOf(outcome, { a: arm, b: 'base', budget: 'tokens', part: 'all' })!;
      expect(best.measures.frontier![0]).toBeCloseTo(frontier!.all.mean - base.frontier!.all.mean, 6);
      expect(best.areas).toHaveLength(2);
      const forgotten = differenceOf(outcome, { a: arm, b: 'base', budget: 'tokens', part: 'general' })!;
      expect(forgotten.measures['accuracy@3']![0]).toBeCloseTo(
        general!.accuracy[2]!.mean - base.general!.accuracy[2]!.mean,
        6,
      );
    }
    const [budget] = outcome.best;
    const rivals = outcome.rows.filter(({ role }) => role === 'base' || role === 'baseline');
    const most = Math.max(...rivals.map(({ frontier }) => frontier!.all.mean));
    expect(rowOf(outcome, budget!.arm, 'tokens')!.frontier!.all.mean).toBe(most);
    expect(studyMarkdown(outcome)).toContain('loops to the base');
  });
});

describe('the outcome', () => {
  it('has a difference to base and best baseline for every trained arm, and the base loses to nobody by definition', () => {
    for (const { arm, budget, role } of result.rows) {
      if (role === 'base') continue;
      const difference = differenceOf(result, { a: arm, b: 'base', budget, part: 'all' })!;
      const [mean, low, high] = difference.measures.area!;
      expect(difference.areas).toHaveLength(2);
      expect(mean).toBeCloseTo((difference.areas[0]! + difference.areas[1]!) / 2, 10);
      expect(low).toBeLessThanOrEqual(high);
      const area = (name: string): number => rowOf(result, name, budget)!.summary.all.area.gate!.mean;
      expect(mean).toBeCloseTo(area(arm) - area('base'), 6);
    }
  });

  it('survives being written down, up to its digits', () => {
    const path = join(temporaryFolder().path, 'tiny.json');
    writeResult(result, path);
    const back = readResult(path);
    expect(back.study).toEqual(result.study);
    expect(back.rows.map(({ arm, steps }) => [arm, steps])).toEqual(result.rows.map(({ arm, steps }) => [arm, steps]));
    expect(back.rows[1]!.summary.all.area.gate!.mean).toBeCloseTo(result.rows[1]!.summary.all.area.gate!.mean, 4);
  });

  it('is a page with every arm and figure, and pages in docs/results, all of whose figures and links are there', async () => {
    const page = await studyPage(result);
    for (const { title } of result.rows) expect(page).toContain(title);
    for (const id of ['forest', 'pareto-tokens', 'pareto-compute', 'accuracy-by-loop', 'exit-rules'])
      expect(page).toContain(`<section id="${id}">`);
    const root = temporaryFolder().path;
    await publish(result, root);
    const pages = join(root, PAGES);
    const file = join(pages, 'tiny.md');
    const first = readFileSync(file, 'utf8');
    const figures = [...first.matchAll(/\]\((\.\.\/\.\.\/lab\/results\/studies\/[^)]+\.svg)\)/g)].map(
      ([, path]) => path!,
    );
    expect(figures.length).toBeGreaterThan(4);
    for (const figure of figures) expect(existsSync(join(pages, figure)), figure).toBe(true);
    const index = readFileSync(join(pages, 'README.md'), 'utf8');
    expect(index).toContain('[tiny](tiny.md)');
    for (const [, anchor] of first.matchAll(/\]\(README\.md#([^)]+)\)/g))
      expect(index.toLowerCase().replaceAll(' ', '-')).toContain(`\n##-${anchor}\n`);
    writeFileSync(file, 'something else');
    expect(await drawAll(root)).toEqual(['tiny']);
    expect(readFileSync(file, 'utf8')).toBe(first);
    mkdirSync(join(root, 'none'));
    expect(await drawAll(join(root, 'none'))).toEqual([]);
  });
});

describe('the forecast', () => {
  const of = (store: Store): Promise<string> =>
    forecast({ ...OPTIONS, study: tinyStudy(), store, run: unitRunner(store), jobs: 2 });

  it('counts the runs that the study makes, before any of them', async () => {
    const store = new Store(temporaryFolder().path);
    const text = await of(store);
    expect(text).toMatch(/^tiny: \d+ runs, .* TFLOP of training; about .* with 2 at a time, as measured here$/);
    expect(Number(/\d+/.exec(text)![0])).toBe(ran.length);
    expect(readdirSync(store.folder, { recursive: true }).filter((name) => `${name}`.includes('metrics'))).toEqual([]);
  });
});
