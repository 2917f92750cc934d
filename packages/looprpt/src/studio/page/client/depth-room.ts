/** The room of depth: evaluations that ran or run, and one of them in full, with a slider for the exit threshold. */

import type { ComparisonResult, EvalResult } from '../../../eval/result.js';
import { byId, make } from '../../../serve/page/client/elements.js';
import type { EvaluationSummary } from '../../evaluations/protocol.js';
import type { RunSummary } from '../../folders/run.js';
import type { ModelEntry } from '../../models/catalogue.js';
import { byLoopPlot, calibrationPlot, difficultyLegend, paretoPlot } from './depth-plots.js';
import { fillModels } from './model-choice.js';
import { operatingPoint, verdict } from './operating-point.js';
import { download, fileName } from './plotting.js';
import type { Server } from './server.js';
import { row, table } from './table.js';

type Result = EvalResult & { comparisons?: ComparisonResult[] };

export class DepthRoom {
  readonly #server: Server;
  readonly #onTrouble: (error: unknown) => void;
  readonly #model = byId('depth-model', HTMLSelectElement);
  readonly #base = byId('depth-base', HTMLSelectElement);
  readonly #threshold = byId('depth-threshold', HTMLInputElement);
  readonly #evaluations = new Map<string, EvaluationSummary>();
  #stored: readonly RunSummary[] = [];
  #models: readonly ModelEntry[] = [];
  #result: Result | null = null;

  constructor(server: Server, onTrouble: (error: unknown) => void) {
    this.#server = server;
    this.#onTrouble = onTrouble;
    byId('depth-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#guarded(() => this.#start());
    });
    this.#model.addEventListener('change', () => this.#proposeBase());
    this.#threshold.addEventListener('input', () => this.#showPoint());
    byId('depth-json', HTMLButtonElement).addEventListener('click', () => {
      if (this.#result)
        download(fileName(`eval ${this.#result.model}`, 'json'), 'application/json', JSON.stringify(this.#result));
    });
    addEventListener('resize', () => this.#showPlots());
  }

  /** Ids of those that are done. */
  get done(): string[] {
    return [...this.#evaluations.values()].flatMap(({ id, state }) => (state === 'done' ? [id] : []));
  }

  showModels(models: readonly ModelEntry[], runs: readonly RunSummary[]): void {
    this.#models = models;
    this.#stored = runs.filter(({ evaluated }) => evaluated);
    const isFirst = this.#model.options.length === 0;
    fillModels(this.#model, models);
    fillModels(this.#base, models, 'nothing');
    if (isFirst) this.#proposeBase();
    this.#list();
  }

  /** When the room is shown: plots have no size before. */
  open(): void {
    this.#showPlots();
  }

  show(evaluation: EvaluationSummary): void {
    const had = this.#evaluations.get(evaluation.id);
    this.#evaluations.set(evaluation.id, evaluation);
    this.#list();
    if (evaluation.state === 'done' && had && had.state !== 'done')
      void this.#guarded(() => this.#open(`/api/evaluations/${evaluation.id}`));
  }

  showAll(evaluations: readonly EvaluationSummary[]): void {
    for (const evaluation of evaluations) this.#evaluations.set(evaluation.id, evaluation);
    this.#list();
  }

  #proposeBase(): void {
    this.#base.value = this.#models.find(({ id }) => id === this.#model.value)?.base ?? '';
  }

  async #start(): Promise<void> {
    const started = await this.#server.post<EvaluationSummary>('/api/evaluations', {
      model: this.#model.value,
      base: this.#base.value === '' ? null : this.#base.value,
      data: byId('depth-data', HTMLInputElement).value,
      maxTokens: Number(byId('depth-tokens', HTMLInputElement).value),
    });
    if (!this.#evaluations.has(started.id)) this.show(started);
  }

  async #open(path: string): Promise<void> {
    this.#result = await this.#server.get<Result>(path);
    this.#showResult();
  }

  #list(): void {
    const asked = [...this.#evaluations.values()].map((one) => this.#item(one));
    const stored = this.#stored.map(({ id, name }) => {
      const button = this.#button(`${name}, as it lies in its folder`, () => this.#open(`/api/runs/${id}/evaluation`));
      return make('li', '', button);
    });
    // An item that is there already keeps its focus.
    const place = byId('depth-list', HTMLElement);
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.key : undefined;
    place.replaceChildren(...asked, ...stored);
    if (focused) place.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  #item({ id, model, base, data, state, tokens, mostTokens, message }: EvaluationSummary): HTMLElement {
    const what = `${model}${base === null ? '' : ` against ${base}`} on ${data}`;
    const item = make('li', '');
    item.dataset.evaluation = id;
    item.dataset.state = state;
    if (state === 'done') item.append(this.#button(what, () => this.#open(`/api/evaluations/${id}`)));
    else item.append(make('span', '', `${what}: ${state}`));
    if (message !== null) item.append(make('span', 'lines', ` ${message}`));
    if (state !== 'running' && state !== 'waiting') return item;
    const progress = make('progress', '');
    progress.max = mostTokens;
    progress.value = tokens;
    progress.setAttribute('aria-label', `Progress of ${what}`);
    const stop = this.#button('Stop', () => this.#server.remove(`/api/evaluations/${id}`));
    stop.setAttribute('aria-label', `Stop ${what}`);
    item.append(` ${tokens.toLocaleString('en-US')} tokens `, progress, stop);
    return item;
  }

  #button(text: string, work: () => Promise<void>): HTMLButtonElement {
    const button = make('button', 'quiet', text);
    button.type = 'button';
    button.dataset.key = text;
    button.addEventListener('click', () => void this.#guarded(work));
    return button;
  }

  #showResult(): void {
    const result = this.#result!;
    const { model, data, tokens, reference, comparisons = [] } = result;
    byId('depth-result', HTMLElement).hidden = false;
    byId('depth-name', HTMLElement).textContent = `${model} on ${data}`;
    byId('depth-note', HTMLElement).textContent =
      `${tokens.toLocaleString('en-US')} tokens; difficulty by ${reference}. Hollow dots: every token at the same loop.`;
    const rows = result.perLoop.map(({ loop, accuracy, crossEntropy }) =>
      row(String(loop), (100 * accuracy).toFixed(2), crossEntropy.toFixed(3)),
    );
    byId('depth-table', HTMLElement).replaceChildren(
      table('Scores after every loop', ['loop', 'accuracy (%)', 'cross-entropy (nats)'], rows),
    );
    byId('depth-legend', HTMLElement).replaceChildren(difficultyLegend(result));
    byId('depth-intervals', HTMLElement).replaceChildren(...intervals(comparisons));
    this.#showPlots();
  }

  #showPlots(): void {
    const result = this.#result;
    if (!result || byId('room-depth', HTMLElement).hidden) return;
    for (const [id, metric] of [
      ['depth-accuracy', 'accuracy'],
      ['depth-entropy', 'crossEntropy'],
    ] as const) {
      const place = byId(id, HTMLElement);
      place.replaceChildren(byLoopPlot(result, metric, place.clientWidth));
    }
    const place = byId('depth-calibration', HTMLElement);
    const calibration = calibrationPlot(result, place.clientWidth);
    place.replaceChildren(...(calibration ? [calibration] : []));
    byId('depth-calibration-note', HTMLElement).textContent = result.calibration
      ? `Blue: the answer is that of full depth. Orange: it is right. Error ${result.calibration.error.toFixed(3)}.`
      : 'This evaluation has no calibration.';
    this.#showPoint();
  }

  #showPoint(): void {
    const threshold = Number(this.#threshold.value);
    byId('depth-threshold-value', HTMLOutputElement).value = threshold.toFixed(2);
    const result = this.#result;
    if (!result) return;
    const point = operatingPoint(result, threshold);
    const place = byId('depth-pareto', HTMLElement);
    place.replaceChildren(paretoPlot(result, point, place.clientWidth));
    byId('depth-point', HTMLElement).textContent =
      point === null
        ? 'No thresholds were evaluated.'
        : `At τ = ${point.tau}: accuracy ${(100 * point.accuracy).toFixed(2)} %, ${point.meanLoops.toFixed(2)} mean loops, cross-entropy ${point.crossEntropy.toFixed(3)}; exits ${point.exitShare.map((share, k) => `${k + 1}: ${Math.round(100 * share)} %`).join(', ')}`;
  }

  async #guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#onTrouble(error);
    }
  }
}

function intervals(comparisons: readonly ComparisonResult[]): HTMLElement[] {
  const [first] = comparisons;
  if (!first) return [];
  const rows = comparisons.map((one) => {
    const scale = /entropy/i.test(one.metric) ? 1 : 100;
    const shown = (value: number | null): string =>
      value === null ? '–' : (scale * value).toFixed(scale === 1 ? 3 : 2);
    return row(one.metric, shown(one.delta), `${shown(one.low)} to ${shown(one.high)}`, verdict(one));
  });
  const titles = ['metric', 'difference', `${Math.round(100 * first.level)} % interval`, 'verdict'];
  return [make('h3', '', `${first.a} minus ${first.b}`), table('Differences with intervals', titles, rows)];
}
