/** The thread that draws the report's figures: reads run folders whole, and the plotting library takes a second to load. */
import { basename } from 'node:path';
import { UserError } from '../../base/user-error.js';
import { versions } from '../../base/versions.js';
import { openCanvas } from '../../eval/report/figures/canvas.js';
import { standaloneSvg } from '../../eval/report/figures/standalone.js';
import type { ReportInput, ReportRun } from '../../eval/report/input.js';
import { loadRun } from '../../eval/report/load-run.js';
import { reportPage } from '../../eval/report/page.js';
import { planReport } from '../../eval/report/plan.js';
import { answer } from '../thread/answering.js';
import type { FiguresAnswers, FiguresQuestion } from './protocol.js';

answer<FiguresAnswers>({
  figures: async (question) => {
    const input = reportInput(question);
    const canvas = await openCanvas();
    const figures = planReport(input).figures.map((figure) => {
      const { id, title, caption } = figure;
      return { id, title, caption, svg: standaloneSvg(figure.draw(canvas)) };
    });
    return { figures, notes: input.notes };
  },
  page: (question) => reportPage(reportInput(question)),
});

/** A run with the evaluation that was made of it here, or else the one that lies in its folder; evaluations of other models by themselves. */
function reportInput({ runs, evaluations }: FiguresQuestion): ReportInput {
  const notes: string[] = [];
  const left = new Set(evaluations);
  const loaded = runs.flatMap(({ path, name }): ReportRun[] => {
    try {
      const { run, notes: more } = loadRun(path);
      notes.push(...more);
      const own = evaluations.find(({ model }) => model === name);
      if (own) left.delete(own);
      return [{ ...run, name, ...(own && { evaluation: own }) }];
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      notes.push(`left out: ${error.message}`);
      return [];
    }
  });
  const others = [...left].map((evaluation): ReportRun => ({ name: evaluation.model, metrics: [], evaluation }));
  const all = [...loaded, ...others];
  return {
    title: all.map(({ name }) => name).join(', '),
    runs: all,
    comparisons: evaluations.flatMap(({ comparisons = [] }) => comparisons),
    notes,
    command: `looprpt studio ${runs.map(({ path }) => basename(path)).join(' ')}`.trim(),
    versions: versions(),
    madeAt: new Date(),
  };
}
