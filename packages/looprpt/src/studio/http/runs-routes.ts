/** Routes of the runs: their list, their curves, what changes, one run's metrics as a table. */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { ApiError } from '../../serve/http/errors.js';
import { eventStream } from '../../serve/http/sse.js';
import { METRICS_FILE } from '../../train/metrics/metrics-log.js';
import type { RunList, RunsAnswers, RunsNews } from '../folders/protocol.js';
import type { RunSummary } from '../folders/run.js';
import type { Asker } from '../thread/asker.js';
import type { StudioApp, StudioContext } from './app.js';
import type { Changes } from './changes.js';
import { csvLines } from './csv.js';
import { curvesQuery, jsonBody, parsed } from './query.js';

/** What the server's thread knows of the runs: the list as it was last told, kept up by the thread that reads. */
export class RunsDesk {
  readonly #asker: Asker<RunsAnswers, RunsNews>;
  readonly #changes: Changes;
  #runs = new Map<string, RunSummary>();
  #lines: string[] = [];

  constructor(asker: Asker<RunsAnswers, RunsNews>, changes: Changes) {
    this.#asker = asker;
    this.#changes = changes;
  }

  get list(): RunList {
    return { runs: [...this.#runs.values()], lines: this.#lines };
  }

  get(id: string): RunSummary | undefined {
    return this.#runs.get(id);
  }

  async load(): Promise<void> {
    this.#take(await this.#asker.ask('list', null));
  }

  /** What the thread tells. */
  hear(news: RunsNews): void {
    if (news.all) {
      this.#take(news.list);
      this.#changes.send('runs', { kind: 'runs', ...this.list });
      return;
    }
    for (const run of news.runs) {
      this.#runs.set(run.id, run);
      this.#changes.send(`run ${run.id}`, { kind: 'run', run });
    }
  }

  routes(app: StudioApp): void {
    app.get('/api/runs', (c) => c.json(this.list));
    app.get('/api/events', () => {
      const gone = new AbortController();
      const first = { subject: 'runs', value: { kind: 'runs', ...this.list } };
      return eventStream(this.#changes.listen([first], gone.signal), () => gone.abort());
    });
    const curves = async (c: StudioContext, given: unknown): Promise<Response> => {
      const { runs, ...rest } = parsed(curvesQuery, given);
      const text = await this.#asker.ask('curves', { ids: runs, ...rest });
      return c.body(text, 200, { 'content-type': 'application/json' });
    };
    app.get('/api/curves', (c) => curves(c, c.req.query()));
    // The same for more runs than an address has room for.
    app.post('/api/curves', async (c) => curves(c, await jsonBody(c)));
    app.get('/api/runs/:id/metrics.csv', (c) => {
      const run = this.#found(c.req.param('id'));
      const bytes = createReadStream(join(run.path, METRICS_FILE));
      return c.body(csvLines(bytes, run.columns), 200, {
        'content-type': 'text/csv; charset=utf-8',
        'content-disposition': 'attachment; filename="metrics.csv"',
      });
    });
  }

  #found(id: string): RunSummary {
    const run = this.#runs.get(id);
    if (run) return run;
    throw new ApiError(404, 'invalid_request_error', 'there is no such run', { code: 'run_not_found' });
  }

  #take({ runs, lines }: RunList): void {
    this.#runs = new Map(runs.map((run) => [run.id, run]));
    this.#lines = lines;
  }
}
