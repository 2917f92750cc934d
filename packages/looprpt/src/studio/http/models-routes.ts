/** Routes of models: which there are, a text under one of them, held-out documents to look at. */
import { z } from 'zod';
import { ApiError } from '../../serve/http/errors.js';
import type { Catalogue } from '../models/catalogue.js';
import type { ModelAnswers } from '../models/protocol.js';
import type { Asker } from '../thread/asker.js';
import type { StudioApp } from './app.js';
import { jsonBody, parsed } from './query.js';

const MOST_CHARACTERS = 100_000;

export const lookRequest = z.strictObject({
  model: z.string().describe('the id of a model'),
  text: z.string().min(1).max(MOST_CHARACTERS),
  top: z.int().min(1).max(20).default(5).describe('likeliest tokens of each loop'),
});

export const documentsRequest = z.strictObject({
  model: z.string().describe('the id of a model; a generated task has the settings that it was trained on'),
  data: z.string().min(1).describe('task:NAME, or a file or folder of text'),
  skip: z.int().min(0).max(1_000_000).default(0).describe('documents before the first'),
  count: z.int().min(1).max(100).default(1),
});

export class ModelsDesk {
  readonly #asker: Asker<ModelAnswers>;
  readonly #catalogue: Catalogue;
  readonly #seed: number;

  constructor(asker: Asker<ModelAnswers>, catalogue: Catalogue, seed: number) {
    this.#asker = asker;
    this.#catalogue = catalogue;
    this.#seed = seed;
  }

  routes(app: StudioApp): void {
    app.get('/api/models', (c) => c.json({ models: this.#catalogue.entries }));
    app.post('/api/tokens', async (c) => {
      const { model, ...question } = parsed(lookRequest, await jsonBody(c));
      const { path, name } = found(this.#catalogue, model);
      const seen = await this.#asker.ask('look', { ...question, model: path, name });
      return c.body(seen, 200, { 'content-type': 'application/json' });
    });
    app.post('/api/documents', async (c) => {
      const { model, ...question } = parsed(documentsRequest, await jsonBody(c));
      const { path } = found(this.#catalogue, model);
      return c.json({ documents: await this.#asker.ask('documents', { ...question, model: path, seed: this.#seed }) });
    });
  }
}

/** @throws ApiError 404 for what is not in the catalogue */
export function found(catalogue: Catalogue, id: string): { path: string; name: string } {
  const path = catalogue.path(id);
  const name = catalogue.entries.find((entry) => entry.id === id)?.name;
  if (path !== null && name !== undefined) return { path, name };
  throw new ApiError(404, 'invalid_request_error', 'there is no such model here; GET /api/models lists them', {
    ...{ param: 'model', code: 'model_not_found' },
  });
}
