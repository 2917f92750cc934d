/**
 * The studio: a page for runs, depth, tokens and talk, on a socket of this machine. It reads run folders and never writes to them; what
 * is heavy is done by threads and processes of its own, so that the page answers at all times.
 */
import { explainConfigError } from '../base/settings/config-error.js';
import { UserError } from '../base/user-error.js';
import { isLoopback } from '../serve/http/host-name.js';
import { Listener } from '../serve/http/listener.js';
import type { RunsAnswers, RunsNews } from './folders/protocol.js';
import { createStudioApp } from './http/app.js';
import { Changes } from './http/changes.js';
import { ModelsDesk } from './http/models-routes.js';
import { RunsDesk } from './http/runs-routes.js';
import { Catalogue } from './models/catalogue.js';
import type { ModelAnswers } from './models/protocol.js';
import { type StudioConfig, type StudioSettings, studioSettings } from './settings.js';
import { Asker } from './thread/asker.js';

/** A connection that neither sends nor reads for so long is cut off; the page begins anew. */
const SILENT_SECONDS = 3600;

export interface StudioHooks {
  onMessage?: ((line: string) => void) | undefined;
  /** Of faults of ours, with the `x-request-id` of the request that met one. */
  onFault?: ((error: unknown, request: string) => void) | undefined;
}

export class Studio implements AsyncDisposable {
  readonly #listener: Listener;
  readonly #parts: readonly AsyncDisposable[];
  /** Other machines get in, and without a key. */
  readonly isOpenToAll: boolean;

  private constructor(listener: Listener, parts: readonly AsyncDisposable[], config: StudioConfig) {
    this.#listener = listener;
    this.#parts = parts;
    this.isOpenToAll = config.apiKey === null && !isLoopback(config.host);
  }

  /** Where its page is. */
  get url(): string {
    return this.#listener.url;
  }

  /** @throws UserError where a setting is wrong, or the address is taken or would let strangers in */
  static async open(settings: StudioSettings, hooks: StudioHooks = {}): Promise<Studio> {
    const checked = studioSettings.safeParse(settings);
    if (!checked.success) throw new UserError(`studio: ${explainConfigError(studioSettings, settings, checked.error)}`);
    const config = checked.data;
    const changes = new Changes();
    const runsThread: Asker<RunsAnswers, RunsNews> = new Asker('folders/thread.js', config.runs, (news) =>
      runs.hear(news),
    );
    const runs = new RunsDesk(runsThread, changes);
    const { device, dtype, threads, seed } = config;
    const modelThread = new Asker<ModelAnswers>('models/thread.js', { device, dtype, threads });
    const catalogue = new Catalogue(config.model ?? null, () => runs.list.runs);
    const models = new ModelsDesk(modelThread, catalogue, seed);
    const app = createStudioApp({
      apiKey: config.apiKey,
      loopbackOnly: config.apiKey === null && !config.allowWithoutKey,
      parts: [(app) => runs.routes(app), (app) => models.routes(app)],
      served: null,
      onFault: hooks.onFault ?? (() => {}),
    });
    const listener = new Listener(app.fetch, SILENT_SECONDS);
    const studio = new Studio(listener, [runsThread, modelThread], config);
    try {
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
