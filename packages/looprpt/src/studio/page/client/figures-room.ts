/** The room of figures: the report's figures of the chosen runs and of what was evaluated, each a file that a paper can take. */
import { byId, make } from '../../../serve/page/client/elements.js';
import type { DrawnFigure } from '../../figures/protocol.js';
import { download, fileName } from './plotting.js';
import type { Server } from './server.js';

export interface FigureSources {
  runs: readonly string[];
  evaluations: readonly string[];
}

export class FiguresRoom {
  readonly #server: Server;
  readonly #sources: () => FigureSources;
  readonly #status = byId('figures-status', HTMLElement);
  readonly #urls: string[] = [];

  /** @param sources the runs and evaluations that are chosen elsewhere */
  constructor(server: Server, sources: () => FigureSources) {
    this.#server = server;
    this.#sources = sources;
    byId('figures-draw', HTMLButtonElement).addEventListener('click', () => void this.#busily(() => this.#draw()));
    byId('figures-report', HTMLButtonElement).addEventListener('click', () => void this.#busily(() => this.#report()));
  }

  async #draw(): Promise<void> {
    const sources = this.#sources();
    const { figures, notes } = await this.#server.post<{ figures: DrawnFigure[]; notes: string[] }>(
      '/api/figures',
      sources,
    );
    for (const url of this.#urls.splice(0)) URL.revokeObjectURL(url);
    byId('figures-notes', HTMLElement).replaceChildren(...notes.map((note) => make('li', '', note)));
    byId('figures-list', HTMLElement).replaceChildren(...figures.map((figure) => this.#figure(figure)));
    this.#status.textContent =
      figures.length > 0
        ? ''
        : 'Nothing to draw: choose runs in the room of runs, or evaluate a model in the room of depth.';
  }

  async #report(): Promise<void> {
    download('report.html', 'text/html', await this.#server.postForText('/api/report', this.#sources()));
    this.#status.textContent = '';
  }

  #figure({ id, title, caption, svg }: DrawnFigure): HTMLElement {
    const url = URL.createObjectURL(new Blob([svg], { type: 'image/svg+xml' }));
    this.#urls.push(url);
    const picture = make('img', '');
    picture.src = url;
    picture.alt = title;
    const button = make('button', 'quiet', 'SVG');
    button.type = 'button';
    button.setAttribute('aria-label', `${title}: the figure as SVG`);
    button.addEventListener('click', () => download(fileName(id, 'svg'), 'image/svg+xml', svg));
    const head = make('div', 'panel-head', make('h2', '', title), button);
    const whole = make('figure', '', head, picture, make('figcaption', '', caption));
    whole.dataset.figure = id;
    return whole;
  }

  async #busily(work: () => Promise<void>): Promise<void> {
    this.#status.textContent = 'Drawing.';
    try {
      await work();
    } catch (error) {
      this.#status.textContent = error instanceof Error ? error.message : String(error);
    }
  }
}
