/**
 * The room of runs: which are chosen, which curves they have, which steps are shown. Curves are asked for where they are in sight, and again
 * when their run has gone on; a request under way is not doubled.
 */
import { seriesStyles } from '../../../eval/report/figures/palette.js';
import { byId } from '../../../serve/page/client/elements.js';
import type { RunCurves, RunSummary } from '../../folders/run.js';
import type { Curve } from './curve-data.js';
import { HeatMap } from './heat-map.js';
import { type Line, Panel, type View } from './panel.js';
import { exitColumns, type Quantity, quantitiesOf } from './quantities.js';
import { RunList } from './run-list.js';
import type { Server } from './server.js';

/** Chosen where the reader has chosen none. */
const FIRST_RUNS = 6;
/** Of all runs in one panel. */
const MOST_POINTS = 30_000;
const MOST_HEAT_MAPS = 6;
/** Between two requests for the same curves. */
const REST_MS = 900;

interface Shown {
  element: HTMLElement;
  columns: readonly string[];
  draw: () => void;
  /** At a step; null for none. */
  read: (step: number | null) => void;
  isVisible: boolean;
}

export class RunsRoom {
  readonly #server: Server;
  readonly #onTrouble: (error: unknown) => void;
  readonly #list = new RunList((ids) => this.#choose(ids));
  readonly #runs = new Map<string, RunSummary>();
  /** By run and column. */
  readonly #curves = new Map<string, Map<string, Curve>>();
  readonly #shown = new Map<string, Shown>();
  readonly #watch = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: '300px' });
  readonly #stale = new Set<string>();
  #zoom: { from: number; to: number } | null = null;
  #cursor: number | null = null;
  #asking = false;
  #wasChosen = false;
  #lastAsked = 0;
  #frame: number | null = null;

  constructor(server: Server, onTrouble: (error: unknown) => void) {
    this.#server = server;
    this.#onTrouble = onTrouble;
    this.#listen();
  }

  /** Ids of the chosen runs, in the list's order. */
  get chosen(): string[] {
    return this.#list.chosen;
  }

  showAll(runs: readonly RunSummary[], lines: readonly string[]): void {
    this.#runs.clear();
    for (const run of runs) this.#runs.set(run.id, run);
    this.#list.showAll(runs, lines);
    if (!this.#wasChosen && runs.length > 0) {
      this.#wasChosen = true;
      const first = [...runs].sort((a, b) => rank(b) - rank(a)).slice(0, FIRST_RUNS);
      this.#list.chooseFirst(first.map(({ id }) => id));
    } else this.#arrange();
  }

  show(run: RunSummary): void {
    const had = this.#runs.get(run.id);
    this.#runs.set(run.id, run);
    this.#list.show(run);
    if (!this.#list.chosen.includes(run.id)) return;
    this.#stale.add(run.id);
    if (had?.columns.length !== run.columns.length) this.#arrange();
    void this.#fetch();
  }

  #choose(ids: readonly string[]): void {
    for (const id of this.#curves.keys()) if (!ids.includes(id)) this.#curves.delete(id);
    for (const id of ids) this.#stale.add(id);
    this.#arrange();
    void this.#fetch();
  }

  /** The panels for what the chosen runs have, kept where they were there before. */
  #arrange(): void {
    const ids = this.#list.chosen;
    const runs = ids.flatMap((id) => this.#runs.get(id) ?? []);
    this.#list.paint(new Map(this.#styles.map(({ id, color }) => [id, color])));
    const columns = new Set(runs.flatMap((run) => run.columns));
    const wanted = new Map<string, () => Shown>();
    const exits = exitColumns(columns);
    for (const quantity of quantitiesOf(columns)) {
      wanted.set(quantity.id, () => this.#newPanel(quantity));
      if (quantity.id !== 'meanLoops') continue;
      for (const run of runs.slice(0, MOST_HEAT_MAPS))
        if (exits.length > 0) wanted.set(`exits ${run.id}`, () => this.#newHeatMap(run, exits));
    }
    for (const [id, { element }] of this.#shown)
      if (!wanted.has(id)) {
        this.#watch.unobserve(element);
        element.remove();
        this.#shown.delete(id);
      }
    const place = byId('panels', HTMLElement);
    let at = 0;
    for (const [id, open] of wanted) {
      const shown = this.#shown.get(id) ?? open();
      this.#shown.set(id, shown);
      if (place.children[at] !== shown.element) place.insertBefore(shown.element, place.children[at] ?? null);
      this.#watch.observe(shown.element);
      at++;
    }
    byId('no-curves', HTMLElement).hidden = runs.length > 0;
    this.#drawAll();
  }

  #newPanel(quantity: Quantity): Shown {
    const panel = new Panel(quantity, {
      onPoint: (step) => this.#read(step),
      onZoom: (from, to) => this.#zoomTo({ from, to }),
    });
    const draw = (): void => panel.show(this.#linesOf(quantity), this.#view);
    const read = (step: number | null): void => panel.read(step);
    return { element: panel.element, columns: [quantity.column], draw, read, isVisible: false };
  }

  #newHeatMap(run: RunSummary, columns: readonly string[]): Shown {
    const map = new HeatMap(run.name);
    const draw = (): void => {
      const curves = columns.flatMap((column) => this.#curves.get(run.id)?.get(column) ?? []);
      map.show(curves, this.#view);
    };
    return { element: map.element, columns, draw, read: (step) => map.read(step), isVisible: false };
  }

  #linesOf({ column }: Quantity): Line[] {
    return this.#styles.flatMap(({ id, color, isDashed }) => {
      const curve = this.#curves.get(id)?.get(column);
      return curve ? [{ name: this.#runs.get(id)!.name, color, isDashed, curve }] : [];
    });
  }

  get #styles(): { id: string; color: string; isDashed: boolean }[] {
    const ids = this.#list.chosen;
    const styles = seriesStyles(ids.map(() => true));
    return ids.map((id, i) => ({ id, color: styles[i]!.color, isDashed: Math.floor(i / 6) % 2 === 1 }));
  }

  get #view(): View {
    const last = Math.max(2, ...this.#list.chosen.map((id) => this.#runs.get(id)?.step ?? 0));
    const { from, to } = this.#zoom ?? { from: 1, to: last };
    return {
      smoothing: Number(byId('smoothing', HTMLInputElement).value),
      logX: byId('log-x', HTMLInputElement).checked,
      logY: byId('log-y', HTMLInputElement).checked,
      from,
      to,
    };
  }

  #seen(entries: readonly IntersectionObserverEntry[]): void {
    let appeared = false;
    for (const shown of this.#shown.values()) {
      const entry = entries.find(({ target }) => target === shown.element);
      if (!entry) continue;
      appeared ||= entry.isIntersecting && !shown.isVisible;
      shown.isVisible = entry.isIntersecting;
    }
    if (!appeared) return;
    for (const id of this.#list.chosen) this.#stale.add(id);
    void this.#fetch(true);
  }

  /** Once a frame, however often it is asked for: many runs take longer than one to draw. */
  #drawAll(): void {
    const { from, to } = this.#view;
    const cursor = byId('cursor', HTMLInputElement);
    cursor.min = String(from);
    cursor.max = String(to);
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      for (const shown of this.#shown.values()) {
        if (!shown.isVisible) continue;
        shown.draw();
        shown.read(this.#cursor);
      }
    });
  }

  /** Asks for the curves in sight of runs that have gone on. */
  async #fetch(atOnce = false): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      const rest = REST_MS - (performance.now() - this.#lastAsked);
      if (!atOnce && rest > 0 && this.#lastAsked > 0) await new Promise((wake) => setTimeout(wake, rest));
      while (this.#stale.size > 0) await this.#fetchOnce();
    } catch (error) {
      this.#onTrouble(error);
    } finally {
      this.#asking = false;
    }
  }

  async #fetchOnce(): Promise<void> {
    const chosen = this.#list.chosen;
    const ids = chosen.filter((id) => this.#stale.has(id));
    const columns = [...new Set([...this.#shown.values()].flatMap((one) => (one.isVisible ? one.columns : [])))];
    this.#stale.clear();
    this.#lastAsked = performance.now();
    if (ids.length === 0 || columns.length === 0) return;
    const zoom = this.#zoom;
    const { runs } = await this.#server.post<{ runs: RunCurves[] }>('/api/curves', {
      runs: ids,
      columns,
      points: Math.max(60, Math.min(400, Math.floor(MOST_POINTS / chosen.length))),
      ...(zoom ? { from: zoom.from, to: zoom.to } : {}),
    });
    for (const run of runs) {
      const known = this.#curves.get(run.id) ?? new Map<string, Curve>();
      for (const [name, thin] of Object.entries(run.columns)) known.set(name, { steps: run.steps, ...thin });
      this.#curves.set(run.id, known);
    }
    this.#drawAll();
  }

  #read(step: number): void {
    this.#cursor = step;
    byId('cursor', HTMLInputElement).value = String(step);
    byId('cursor-step', HTMLOutputElement).value = String(step);
    for (const shown of this.#shown.values()) if (shown.isVisible) shown.read(step);
  }

  /** @param range null for the whole */
  #zoomTo(range: { from: number; to: number } | null): void {
    this.#zoom = range;
    byId('from', HTMLInputElement).value = range ? String(range.from) : '';
    byId('to', HTMLInputElement).value = range ? String(range.to) : '';
    byId('whole', HTMLButtonElement).disabled = range === null;
    for (const id of this.#list.chosen) this.#stale.add(id);
    this.#drawAll();
    void this.#fetch(true);
  }

  #listen(): void {
    byId('view', HTMLFormElement).addEventListener('submit', (event) => event.preventDefault());
    for (const id of ['smoothing', 'log-x', 'log-y'])
      byId(id, HTMLInputElement).addEventListener('input', () => this.#drawAll());
    for (const id of ['from', 'to'])
      byId(id, HTMLInputElement).addEventListener('change', () => {
        const [from, to] = [Number(byId('from', HTMLInputElement).value), Number(byId('to', HTMLInputElement).value)];
        const { to: last } = this.#view;
        if (from === 0 && to === 0) this.#zoomTo(null);
        else if ((to || last) > (from || 1)) this.#zoomTo({ from: Math.max(1, from), to: to || last });
      });
    byId('whole', HTMLButtonElement).addEventListener('click', () => this.#zoomTo(null));
    byId('cursor', HTMLInputElement).addEventListener('input', ({ target }) =>
      this.#read(Number((target as HTMLInputElement).value)),
    );
    let width = innerWidth;
    addEventListener('resize', () => {
      if (innerWidth !== width) this.#drawAll();
      width = innerWidth;
    });
  }
}

/** Running ones first, then those with the most steps. */
function rank({ state, step }: RunSummary): number {
  return (state === 'running' ? 1e9 : 0) + step;
}
