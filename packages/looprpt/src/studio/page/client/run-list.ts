/** The list of runs: one row each, updated in place, so that focus and scrolling stay while they train. */
import { byId, counted, make } from '../../../serve/page/client/elements.js';
import type { RunSummary } from '../../folders/run.js';
import { readable } from './curve-data.js';

interface Row {
  element: HTMLElement;
  box: HTMLInputElement;
  swatch: HTMLElement;
  name: HTMLElement;
  state: HTMLElement;
  facts: HTMLElement;
  progress: HTMLProgressElement;
  lines: HTMLElement;
}

export class RunList {
  readonly #list = byId('runs', HTMLUListElement);
  readonly #filter = byId('filter', HTMLInputElement);
  readonly #rows = new Map<string, Row>();
  readonly #onChoice: (ids: readonly string[]) => void;
  #runs: readonly RunSummary[] = [];
  /** Runs whose metrics have not been read to the end. */
  readonly #unread = new Set<string>();
  /** What the reader asked for before there was a run to choose. */
  #asked: 'all' | 'none' | null = null;

  /** @param onChoice which runs are chosen, in the list's order */
  constructor(onChoice: (ids: readonly string[]) => void) {
    this.#onChoice = onChoice;
    this.#filter.addEventListener('input', () => this.#hide());
    byId('all-runs', HTMLButtonElement).addEventListener('click', () => this.#ask('all'));
    byId('no-runs', HTMLButtonElement).addEventListener('click', () => this.#ask('none'));
  }

  get chosen(): string[] {
    return this.#runs.flatMap(({ id }) => (this.#rows.get(id)?.box.checked ? [id] : []));
  }

  /** The page's own choice, when runs are there for the first time: the reader's goes before it. */
  chooseFirst(ids: readonly string[]): void {
    if (this.#asked !== null) this.#ask(this.#asked);
    else this.#choose(ids);
  }

  #ask(what: 'all' | 'none'): void {
    this.#asked = what;
    this.#choose(what === 'all' ? this.#visible : []);
  }

  #choose(ids: readonly string[]): void {
    const wanted = new Set(ids);
    for (const [id, { box }] of this.#rows) box.checked = wanted.has(id);
    this.#onChoice(this.chosen);
  }

  /** All runs there are, in their order. */
  showAll(runs: readonly RunSummary[], lines: readonly string[]): void {
    this.#runs = runs;
    const there = new Set(runs.map(({ id }) => id));
    for (const [id, { element }] of this.#rows)
      if (!there.has(id)) {
        element.remove();
        this.#rows.delete(id);
        this.#unread.delete(id);
      }
    for (const run of runs) this.show(run);
    // Moved only where the order is another one: a moved row loses its focus.
    runs.forEach(({ id }, i) => {
      const { element } = this.#rows.get(id)!;
      if (this.#list.children[i] !== element) this.#list.insertBefore(element, this.#list.children[i] ?? null);
    });
    byId('run-lines', HTMLUListElement).replaceChildren(...lines.map((line) => make('li', '', line)));
    this.#hide();
  }

  show(run: RunSummary): void {
    const row = this.#rows.get(run.id) ?? this.#newRow(run);
    const damaged = run.checkpoints.some(({ damage }) => damage !== null);
    row.name.textContent = run.name;
    row.element.title = run.path;
    row.state.textContent = damaged ? `${run.state}, damaged checkpoint skipped` : run.state;
    row.state.className = `state ${damaged ? 'damaged' : run.state}`;
    row.facts.replaceChildren(row.state, ...factsOf(run).map((fact) => make('span', '', fact)));
    row.progress.max = run.steps ?? Math.max(1, run.step);
    row.progress.value = run.step;
    row.progress.hidden = run.state === 'finished';
    row.lines.replaceChildren(...run.lines.map((line) => make('li', '', line)));
    const unread = this.#unread.size;
    if (run.read < 1) this.#unread.add(run.id);
    else this.#unread.delete(run.id);
    if (unread !== this.#unread.size) this.#count();
  }

  /** @param colors by id; the others have none */
  paint(colors: ReadonlyMap<string, string>): void {
    for (const [id, { swatch }] of this.#rows) swatch.style.setProperty('--series', colors.get(id) ?? 'transparent');
  }

  get #visible(): string[] {
    return this.#runs.flatMap(({ id }) => (this.#rows.get(id)?.element.hidden === false ? [id] : []));
  }

  #newRow(run: RunSummary): Row {
    const box = make('input', '');
    box.type = 'checkbox';
    box.addEventListener('change', () => this.#onChoice(this.chosen));
    const row: Row = {
      box,
      swatch: make('span', 'swatch'),
      name: make('span', ''),
      state: make('span', 'state'),
      facts: make('div', 'facts'),
      progress: make('progress', ''),
      lines: make('ul', 'lines'),
      element: make('li', 'run'),
    };
    row.progress.setAttribute('aria-label', `Progress of ${run.name}`);
    row.element.dataset.run = run.id;
    row.element.append(make('label', '', box, row.swatch, row.name), row.facts, row.progress, row.lines);
    this.#rows.set(run.id, row);
    this.#list.append(row.element);
    return row;
  }

  #hide(): void {
    const wanted = this.#filter.value.trim().toLowerCase();
    for (const { id, name, path } of this.#runs)
      this.#rows.get(id)!.element.hidden = !`${name} ${path}`.toLowerCase().includes(wanted);
    this.#count();
  }

  #count(): void {
    const all = counted(this.#runs.length, 'run');
    const shown = this.#visible.length;
    const unread = this.#unread.size;
    const count = shown === this.#runs.length ? all : `${shown} of ${all}`;
    const rest = `; ${unread} still being read, their curves are of single steps until then`;
    byId('run-count', HTMLElement).textContent = unread === 0 ? count : count + rest;
  }
}

function factsOf({ step, steps, loss, meanLoops, secondsLeft, read }: RunSummary): string[] {
  return [
    steps === null ? `step ${step}` : `step ${step} of ${steps}`,
    ...(loss === null ? [] : [`loss ${readable(loss)}`]),
    ...(meanLoops === null ? [] : [`loops ${meanLoops.toFixed(2)}`]),
    ...(secondsLeft === null ? [] : [`${duration(secondsLeft)} left`]),
    ...(read < 1 ? [`reading, ${Math.floor(100 * read)} %`] : []),
  ];
}

/** `40 s`, `12 min`, `3 h 5 min`. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
