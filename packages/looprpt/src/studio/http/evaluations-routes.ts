/** Routes of evaluations and of the figures made of them: start, look, stop; the one that lies in a run folder; figures and a report. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { EvalResultSchema } from '../../eval/result.js';
import { ApiError } from '../../serve/http/errors.js';
import { parseJson } from '../../train/state/folder.js';
import type { Evaluations } from '../evaluations/evaluations.js';
import type { EvaluationJob } from '../evaluations/protocol.js';
import type { FiguresAnswers, FiguresQuestion } from '../figures/protocol.js';
import type { Catalogue } from '../models/catalogue.js';
import type { Asker } from '../thread/asker.js';
import type { StudioApp } from './app.js';
import { found } from './models-routes.js';
import { jsonBody, parsed } from './query.js';
import type { RunsDesk } from './runs-routes.js';

export const evaluationRequest = z.strictObject({
  model: z.string().describe('the id of a model'),
  base: z.string().nullable().default(null).describe('the id of one to compare it with'),
  data: z.string().min(1).describe('task:NAME, or a file or folder of text or shards'),
  maxTokens: z.int().min(1).max(100_000_000).default(20_000).describe('counted tokens at most'),
});

export const figuresRequest = z.strictObject({
  runs: z.array(z.string()).max(200).default([]).describe('ids'),
  evaluations: z.array(z.string()).max(50).default([]).describe('ids of evaluations that are done'),
});

export interface EvaluationsDeskOptions {
  evaluations: Evaluations;
  figures: Asker<FiguresAnswers>;
  catalogue: Catalogue;
  runs: RunsDesk;
  settings: Pick<EvaluationJob, 'seed' | 'device' | 'dtype' | 'threads'>;
}

/** @returns what adds the routes to the studio's */
export function evaluationsRoutes(options: EvaluationsDeskOptions): (app: StudioApp) => void {
  const { evaluations, figures, catalogue, runs, settings } = options;
  const question = (given: unknown): FiguresQuestion => {
    const asked = parsed(figuresRequest, given);
    return {
      runs: asked.runs.flatMap((id) => {
        const run = runs.get(id);
        return run ? [{ path: run.path, name: run.name }] : [];
      }),
      evaluations: asked.evaluations.flatMap((id) => evaluations.result(id) ?? []),
    };
  };
  return (app) => {
    app.get('/api/evaluations', (c) => c.json({ evaluations: evaluations.all }));
    app.post('/api/evaluations', async (c) => {
      const { model, base, ...rest } = parsed(evaluationRequest, await jsonBody(c));
      if (base === model) throw ApiError.invalid('a model is not compared with itself', 'base');
      const job = { ...settings, ...rest, model: found(catalogue, model) };
      return c.json(evaluations.start({ ...job, base: base === null ? null : found(catalogue, base) }), 201);
    });
    app.get('/api/evaluations/:id', (c) => {
      const result = evaluations.result(c.req.param('id'));
      if (result === null) throw noEvaluation();
      return c.json(result);
    });
    app.delete('/api/evaluations/:id', (c) => {
      if (!evaluations.stop(c.req.param('id'))) throw noEvaluation();
      return c.body(null, 204);
    });
    app.get('/api/runs/:id/evaluation', (c) => c.json(stored(runs, c.req.param('id'))));
    app.post('/api/figures', async (c) => c.json(await figures.ask('figures', question(await jsonBody(c)))));
    app.post('/api/report', async (c) =>
      c.body(await figures.ask('page', question(await jsonBody(c))), 200, {
        'content-type': 'text/html; charset=utf-8',
        'content-disposition': 'attachment; filename="report.html"',
      }),
    );
  };
}

/** What `looprpt eval` left in a run folder. */
function stored(runs: RunsDesk, id: string): unknown {
  const path = join(runs.get(id)?.path ?? '', 'eval.json');
  if (!runs.get(id) || !existsSync(path)) throw noEvaluation();
  const value = parseJson(readFileSync(path, 'utf8'));
  if (!EvalResultSchema.safeParse(value).success)
    throw ApiError.invalid(`${path}: not a result of looprpt eval on text; evaluate the run again`);
  return value;
}

function noEvaluation(): ApiError {
  return new ApiError(404, 'invalid_request_error', 'there is no such evaluation, or it is not done', {
    code: 'evaluation_not_found',
  });
}
