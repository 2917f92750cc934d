/**
 * The studio: a page for runs, depth, tokens and talk, on a socket of this machine. It reads run folders and never writes to them; what
 * is heavy is done by threads and processes of its own, so that the page answers at all times.
 */
import { explainConfigError } from '../base/settings/config-error.js';
import { UserError } from '../base/user-error.js';
import { isLoopback } from '../serve/http/host-name.js';
import { Listener } from '../serve/http/listener.js';
import { Evaluations } from './evaluations/evaluations.js';
import type { FiguresAnswers } from './figures/protocol.js';
import type { RunsAnswers, RunsNews } from './folders/protocol.js';
import { createStudioApp } from './http/app.js';
import { Changes } from './http/changes.js';
import { evaluationsRoutes } from './http/evaluations-routes.js';
import { ModelsDesk } from './http/models-routes.js';
import { RunsDesk } from './http/runs-routes.js';
import { Catalogue } from './models/catalogue.js';
import type { ModelAnswers } from './models/protocol.js';
import { type StudioConfig, type StudioSettings, studioSettings } from './settings.js';
import { Talk } from './talk.js';
import { Asker } from './thread/asker.js';

/** A connection that neither sends nor reads for so long is cut off; the page begins anew. */
const SILENT_SECONDS = 3600;

export interface StudioHooks {
  onMessage?: ((line: string) => void) | undefined;
  /** Of faults of ours, with the `x-request-id` of the request that met one. */
  onFault?: ((error: unknown, request: string) => void) | undefined;
}

interface StudioParts {
  parts: readonly AsyncDisposable[];
  loaded: Promise<unknown>;
}

export class Studio implements AsyncDisposable {
  readonly #listener: Listener;
  readonly #parts: readonly AsyncDisposable[];
  readonly #loaded: Promise<unknown>;
  /** Other machines get in, and without a key. */
  readonly isOpenToAll: boolean;

  private constructor(listener: Listener, { parts, loaded }: StudioParts, config: StudioConfig) {
    this.#listener = listener;
    this.#parts = parts;
    this.#loaded = loaded;
    this.isOpenToAll = config.apiKey === null && !isLoopback(config.host);
  }

  /** Where its page is. */
  get url(): string {
    return this.#listener.url;
  }

  /** Resolves when the model to talk to is there, at once where there is none. @throws UserError where it cannot be opened */
  get loaded(): Promise<unknown> {
    return this.#loaded;
  }

  /** @throws UserError where a setting is wrong, or the address is taken or would let strangers in */
  static async open(settings: StudioSettings, hooks: StudioHooks = {}): Promise<Studio> {
    const checked = studioSettings.safeParse(settings);
    if (!checked.success) throw new UserError(`studio: ${explainConfigError(studioSettings, settings, checked.error)}`);
    const config = checked.data;
    const { apiKey, device, dtype, threads, seed } = config;
    const { onMessage = () => {}, onFault = () => {} } = hooks;
    const changes = new Changes();
    const folders: Asker<RunsAnswers, RunsNews> = new Asker('folders/thread.js', config.runs, (news) =>
      runs.hear(news),
    );
    const runs = new RunsDesk(folders, changes);
    const thread = new Asker<ModelAnswers>('models/thread.js', { device, dtype, threads });
    const catalogue = new Catalogue(config.model ?? null, () => runs.list.runs);
    const models = new ModelsDesk(thread, catalogue, seed);
    const figures = new Asker<FiguresAnswers>('figures/thread.js', null);
    const evaluations = new Evaluations((evaluation) =>
      changes.send(`evaluation ${evaluation.id}`, { kind: 'evaluation', evaluation }),
    );
    const evaluating = { evaluations, figures, catalogue, runs, settings: { seed, device, dtype, threads } };
    const talk = config.model === undefined ? null : new Talk(config.model, config, { onMessage, onFault });
    const app = createStudioApp({
      apiKey,
      loopbackOnly: apiKey === null && !config.allowWithoutKey,
      parts: [(app) => runs.routes(app), (app) => models.routes(app), evaluationsRoutes(evaluating)],
      served: talk?.app.fetch ?? null,
      onFault,
    });
    const listener = new Listener(app.fetch, SILENT_SECONDS);
    const parts = [evaluations, folders, thread, figures, ...(talk ? [talk] : [])];
    const studio = new Studio(listener, { parts, loaded: talk?.loaded ?? Promise.resolve() }, config);
    try {
      // While the socket opens.
      folders.start();
      await listener.listen(config);
      await runs.load();
    } catch (error) {
      await studio[Symbol.asyncDispose]();
      throw error;
    }
    return studio;
  }

  /** Ends at once, with its threads and processes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener.cut();
    for (const part of this.#parts) await part[Symbol.asyncDispose]();
  }
}
