/** The report's page: what is drawn is what was given, and nothing of a name becomes markup. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { JSDOM } from 'jsdom';
import { describe, expect, it } from 'vitest';
import { madeUpEvaluation, madeUpMetrics } from '../../../test-support/made-up-evaluation.js';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { writeFigure } from './figure-file.js';
import type { ReportInput } from './input.js';
import { reportJson, reportPage } from './page.js';

const HOSTILE = `<img src=x onerror="alert(1)">&'</script>`;

function input(changes: Partial<ReportInput> = {}): ReportInput {
  return {
    title: 'A report',
    command: 'npm start',
    notes: ['one note'],
    runs: [
      { name: 'base', metrics: [], evaluation: madeUpEvaluation('base', 0.3) },
      {
        name: 'LoopRPT',
        config: { steps: 40 },
        metrics: madeUpMetrics(40),
        evaluation: madeUpEvaluation('LoopRPT', 0.4),
      },
    ],
    comparisons: [
      { a: 'LoopRPT', b: 'base', metric: 'area', delta: 0.1, low: 0.05, high: 0.15, level: 0.95, resamples: 100 },
      {
        a: 'LoopRPT',
        b: 'base',
        metric: 'accuracy@1',
        delta: 0.01,
        low: -0.02,
        high: 0.04,
        level: 0.95,
        resamples: 100,
      },
    ],
    ...changes,
  };
}

async function page(changes: Partial<ReportInput> = {}): Promise<Document> {
  return new JSDOM(await reportPage(input(changes))).window.document;
}

/** The points of a path of straight segments. */
function points(path: Element): { x: number; y: number }[] {
  return [...path.getAttribute('d')!.matchAll(/[ML]([-\d.]+),([-\d.]+)/g)].map(([, x, y]) => ({
    x: Number(x),
    y: Number(y),
  }));
}

describe('lines', () => {
  it('each model has its gate curve in each Pareto panel, going right and up with the numbers', async () => {
    const document = await page();
    for (const model of ['base', 'LoopRPT']) {
      const curves = [...document.querySelectorAll(`path[data-label="gate of ${model}"]`)];
      // Against loops and FLOPs, by difficulty (three), and among the exit rules.
      expect(curves.length).toBeGreaterThanOrEqual(6);
      for (const curve of curves) {
        const drawn = points(curve);
        expect(drawn).toHaveLength(7);
        for (const [i, point] of drawn.entries()) {
          if (i === 0) continue;
          expect(point.x).toBeGreaterThan(drawn[i - 1]!.x);
          expect(point.y).toBeLessThan(drawn[i - 1]!.y);
        }
      }
    }
  });

  it('the better model lies above the other one by the scale of the axis', async () => {
    const document = await page();
    const first = (model: string) => points(document.querySelector(`path[data-label="gate of ${model}"]`)!);
    const [base, better] = [first('base'), first('LoopRPT')];
    // Ten points of accuracy apart everywhere; a half loop along one curve is five.
    const half = base[0]!.y - base[1]!.y;
    base.forEach((point, i) => {
      expect(better[i]!.x).toBeCloseTo(point.x, 2);
      expect(point.y - better[i]!.y).toBeCloseTo(2 * half, 1);
    });
  });

  it('every training quantity that was logged has a line with a point per window', async () => {
    const document = await page();
    for (const title of ['Loss', 'Loss part: policy', 'Mean loops', 'Gradient norm'])
      expect(points(document.querySelector(`path[data-label="${title}, LoopRPT"]`)!)).toHaveLength(40);
    const loss = points(document.querySelector('path[data-label="Loss, LoopRPT"]')!);
    expect(loss.at(-1)!.y).toBeGreaterThan(loss[0]!.y);
  });

  it('accuracy after every loop has a line of K points for each model and bucket', async () => {
    const document = await page();
    for (const width of ['wide', 'narrow']) {
      const lines = [...document.querySelectorAll(`.${width} path[data-label="accuracy of LoopRPT"]`)];
      expect(lines).toHaveLength(4);
      for (const line of lines) expect(points(line)).toHaveLength(4);
    }
  });
});

describe('the page', () => {
  it('loads nothing from anywhere', async () => {
    const text = await reportPage(input());
    const outside = [...text.matchAll(/(?:src|href)\s*=\s*["']([^"'#]+)/g)].map(([, target]) => target);
    expect(outside).toEqual([]);
    expect(text.replaceAll(/http:\/\/www\.w3\.org\/[\w/]+/g, '')).not.toMatch(/https?:\/\//);
    expect(text).toContain("default-src 'none'");
  });

  it('shows names, notes and commands as text only', async () => {
    const runs = input().runs.map((run, i) => ({
      ...run,
      name: `${HOSTILE}${i}`,
      config: { [HOSTILE]: HOSTILE },
      evaluation: { ...run.evaluation!, model: HOSTILE, data: HOSTILE, reference: HOSTILE },
    }));
    const comparisons = input().comparisons.map((comparison) => ({ ...comparison, a: HOSTILE, b: HOSTILE }));
    const document = await page({ title: HOSTILE, command: HOSTILE, notes: [HOSTILE], runs, comparisons });
    expect(document.querySelectorAll('img, [onerror]')).toHaveLength(0);
    expect(document.title).toBe(HOSTILE);
    expect(document.body.textContent).toContain(HOSTILE);
    expect(document.querySelectorAll('script')).toHaveLength((await page()).querySelectorAll('script').length);
  });

  it('says from how many documents an interval is, and gives none where there are too few', async () => {
    const [area, accuracy] = input().comparisons;
    const reason = 'no interval from 2 documents: at least 20 are needed';
    const few = { ...accuracy!, low: null, high: null, documents: 2, resamples: 0, reason };
    const document = await page({ comparisons: [{ ...area!, documents: 60 }, few] });
    const rows = [...document.querySelectorAll('tr')].map((row) =>
      [...row.querySelectorAll('td')].map((cell) => cell.textContent),
    );
    expect(rows).toContainEqual(['LoopRPT − base', 'area', '+10.00 points', '+5.00 to +15.00', '60', 'better']);
    expect(rows).toContainEqual(['LoopRPT − base', 'accuracy@1', '+1.00 points', '–', '2', 'no interval']);
    expect(document.body.textContent).toContain(`95 % intervals by paired bootstrap over 60 documents; ${reason}`);
  });

  it('has the table of both models with their numbers', async () => {
    const text = (await page()).body.textContent!;
    // Accuracies after loops 1 to 4 of both models, in per cent.
    for (const value of ['30.00', '40.00', '50.00', '60.00', '70.00']) expect(text).toContain(value);
  });

  it('begins with the verdict; the reference and at most nine more stand in the table above the figures, the rest is folded', async () => {
    const runs = Array.from({ length: 14 }, (_, i) => ({
      name: `model ${i}`,
      metrics: [],
      evaluation: madeUpEvaluation(`model ${i}`, 0.2 + 0.01 * i),
    }));
    const document = await page({ runs, verdict: 'This is better.' });
    expect(document.querySelector('main')!.children[1]!.textContent).toBe('This is better.');
    const [first, ...others] = [...document.querySelectorAll('table')];
    const names = [...first!.querySelectorAll('td:first-child')].map(({ textContent }) => textContent);
    expect(names).toEqual(['model 0', ...Array.from({ length: 9 }, (_, i) => `model ${i + 5}`)]);
    expect(first!.closest('details')).toBeNull();
    for (const table of others) expect(table.closest('details')).not.toBeNull();
    expect(others.some((table) => table.textContent!.includes('model 3'))).toBe(true);
    const figure = document.querySelector('figure')!;
    expect(first!.compareDocumentPosition(figure) & 4).toBe(4);
  });

  it('says of differences whether they are better, worse or not told apart', async () => {
    const rows = [...(await page()).querySelectorAll('tr')].map((row) => row.textContent!.replaceAll(/\s+/g, ' '));
    const row = (metric: string): string =>
      rows.find((text) => text.includes(metric) && text.includes('LoopRPT − base'))!;
    expect(row('area')).toContain('+10.00');
    expect(row('area')).toContain('better');
    expect(row('accuracy@1')).toContain('not told apart');
  });

  it.each([
    ['a run that was never evaluated', { runs: [{ name: 'only trained', metrics: madeUpMetrics(3) }] }],
    [
      'a model that was never trained',
      { runs: [{ name: 'only judged', metrics: [], evaluation: madeUpEvaluation('m', 0.2) }] },
    ],
    ['a model of one loop', { runs: [{ name: 'shallow', metrics: [], evaluation: madeUpEvaluation('m', 0.2, 1) }] }],
    [
      'steps that were not finite',
      {
        runs: [
          {
            name: 'wild',
            metrics: madeUpMetrics(5).map((record, i) => (i === 2 ? { ...record, loss: Number.NaN } : record)),
          },
        ],
      },
    ],
  ])('stands for %s', async (_, changes) => {
    const document = await page({ comparisons: [], ...changes });
    expect(document.querySelector('h1')!.textContent).toBe('A report');
    expect(document.documentElement.outerHTML).not.toMatch(/NaN[,"<]|undefined/);
  });

  it('means over replicates, with their spread', async () => {
    const replicates = [0.38, 0.42].map((first) => madeUpEvaluation('LoopRPT', first));
    const [base, run] = input().runs;
    const text = (await page({ runs: [base!, { ...run!, replicates }], comparisons: [] })).body.textContent!;
    expect(text).toMatch(/40\.00\s*±\s*2\.\d/);
  });
});

describe('a figure alone', () => {
  it('is well-formed SVG with literal light colours and a style sheet for dark ones', async () => {
    const { path } = temporaryFolder();
    const file = join(path, 'pareto.svg');
    await writeFigure(input(), 'pareto', file);
    const text = readFileSync(file, 'utf8');
    const document = new JSDOM(text, { contentType: 'image/svg+xml' }).window.document;
    expect(document.documentElement.nodeName).toBe('svg');
    expect(document.querySelectorAll('path[data-label="gate of LoopRPT"]').length).toBeGreaterThan(0);
    expect(text).toContain('prefers-color-scheme: dark');
    expect(text).not.toContain('var(--');
    await expect(writeFigure(input(), 'nothing', file)).rejects.toThrow('these runs have pareto');
  });
});

describe('the JSON', () => {
  it('has the same figures as the page, with the numbers', async () => {
    const json = reportJson(input());
    const document = await page();
    for (const { title } of json.figures)
      expect([...document.querySelectorAll('h2')].map((heading) => heading.textContent)).toContain(title);
    expect(JSON.parse(JSON.stringify(json)).comparisons).toEqual(input().comparisons);
  });
});
