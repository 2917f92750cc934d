/** The room of tokens: a text under one model or two, token by token, and what the second learned. */
import { byId, make } from '../../../serve/page/client/elements.js';
import { legend } from '../../../serve/page/client/loop-colours.js';
import { PerFrame } from '../../../serve/page/client/per-frame.js';
import type { ModelEntry } from '../../models/catalogue.js';
import type { HeldOutText, TextSeen } from '../../models/protocol.js';
import { fillModels } from './model-choice.js';
import { type Counted, comparable, countedOf, type Gain, gainsOf } from './seen.js';
import type { Server } from './server.js';
import { row, table } from './table.js';
import { tokenDetail } from './token-detail.js';
import { TokenStrip } from './token-strip.js';

/** At each end of the table. */
const MOST_GAINS = 250;
const CONTEXT = 3;

export class TokensRoom {
  readonly #server: Server;
  readonly #onTrouble: (error: unknown) => void;
  readonly #model = byId('tokens-model', HTMLSelectElement);
  readonly #other = byId('tokens-other', HTMLSelectElement);
  readonly #text = byId('tokens-text', HTMLTextAreaElement);
  readonly #data = byId('tokens-data', HTMLInputElement);
  readonly #threshold = byId('tokens-threshold', HTMLInputElement);
  readonly #look = byId('tokens-look', HTMLButtonElement);
  #strips: TokenStrip[] = [];
  #models: readonly ModelEntry[] = [];
  #chosen: number | null = null;
  #documents = 0;
  /** The last document that was taken; what the loss is of holds while the text is its. */
  #document: HeldOutText | null = null;
  #counted: Counted = null;

  constructor(server: Server, onTrouble: (error: unknown) => void) {
    this.#server = server;
    this.#onTrouble = onTrouble;
    byId('tokens-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#busily(() => this.#lookAgain());
    });
    byId('tokens-document', HTMLButtonElement).addEventListener('click', () => {
      void this.#busily(() => this.#takeDocument());
    });
    const frames = new PerFrame(() => this.#show());
    this.#threshold.addEventListener('input', () => frames.add(null));
    this.#model.addEventListener('change', () => this.#proposeBase());
  }

  showModels(models: readonly ModelEntry[]): void {
    this.#models = models;
    const isFirst = this.#model.options.length === 0;
    fillModels(this.#model, models);
    fillModels(this.#other, models, 'no other model');
    if (isFirst) this.#proposeBase();
    this.#look.disabled = models.length === 0;
  }

  /** The model that a run began from is what one compares it with. */
  #proposeBase(): void {
    this.#other.value = this.#models.find(({ id }) => id === this.#model.value)?.base ?? '';
  }

  async #lookAgain(): Promise<void> {
    const ids = [this.#other.value, this.#model.value].filter((id) => id !== '');
    const text = this.#text.value;
    const seen: TextSeen[] = [];
    for (const model of ids) seen.push(await this.#server.post<TextSeen>('/api/tokens', { model, text }));
    const loss = text === this.#document?.text ? this.#document.loss : null;
    const counted = seen.map((one) => countedOf(one, loss));
    this.#counted = counted[0]!;
    this.#strips = seen.map((one, i) => new TokenStrip(one, counted[i]!, (index) => this.#choose(index)));
    byId('tokens-strips', HTMLElement).replaceChildren(...this.#strips.map(({ element }) => element));
    const loops = Math.max(...seen.map((one) => one.loops));
    byId('tokens-legend', HTMLElement).replaceChildren(...legend(loops));
    this.#chosen = null;
    this.#show();
  }

  async #takeDocument(): Promise<void> {
    const body = { model: this.#model.value, data: this.#data.value, skip: this.#documents };
    const { documents } = await this.#server.post<{ documents: HeldOutText[] }>('/api/documents', body);
    this.#documents++;
    this.#document = documents[0]!;
    this.#text.value = this.#document.text;
    await this.#lookAgain();
  }

  #choose(index: number): void {
    this.#chosen = index;
    for (const strip of this.#strips) strip.mark(index);
    this.#showDetails();
  }

  #show(): void {
    const threshold = Number(this.#threshold.value);
    byId('tokens-threshold-value', HTMLOutputElement).value = threshold.toFixed(2);
    const [first, second] = this.#strips;
    const gains = first && second ? gainsOf(first.seen, second.seen, threshold, this.#counted) : [];
    const changed = new Set(gains.flatMap((gain) => (gain.changed ? [gain.index] : [])));
    for (const [i, strip] of this.#strips.entries()) strip.show(threshold, i === 1 ? changed : new Set());
    this.#showGains(gains);
    this.#showDetails();
  }

  #showDetails(): void {
    const threshold = Number(this.#threshold.value);
    const index = this.#chosen;
    const shown = index === null ? [] : this.#strips.filter(({ seen }) => index < seen.tokens.length);
    const details = shown.map(({ seen }) => tokenDetail(seen, index!, threshold));
    const hint =
      this.#strips.length > 0 ? [make('p', 'muted', 'Choose a token to see what each loop said of it.')] : [];
    byId('tokens-detail', HTMLElement).replaceChildren(...(details.length > 0 ? details : hint));
  }

  #showGains(gains: readonly Gain[]): void {
    byId('tokens-gains', HTMLElement).replaceChildren(...this.#gainsTable(gains));
  }

  #gainsTable(gains: readonly Gain[]): HTMLElement[] {
    const [first, second] = this.#strips.map(({ seen }) => seen);
    if (!first || !second) return [];
    const heading = make('h2', '', `What ${second.model} says better than ${first.model}`);
    if (!comparable(first, second)) {
      const why = 'The two models cut the text differently, so that their tokens cannot be compared one by one.';
      return [heading, make('p', 'muted', why)];
    }
    const between = gains.length - 2 * MOST_GAINS;
    const [best, worst] = between > 0 ? [gains.slice(0, MOST_GAINS), gains.slice(-MOST_GAINS)] : [gains, []];
    const rows = best.map((gain) => this.#gainRow(gain, first));
    if (between > 0) rows.push(row(`… ${between} tokens between`, '', '', '', '', ''));
    rows.push(...worst.map((gain) => this.#gainRow(gain, first)));
    const titles = ['token', 'gain (nats)', 'log-prob.', 'loops', 'changed', 'before it'];
    const note = `Log-probability of the token at the loop where it leaves, sorted by gain. ${gains.length} tokens, ${
      gains.filter(({ changed }) => changed).length
    } changed: another likeliest token, or another loop.`;
    return [heading, make('p', 'muted', note), table('Tokens by gain', titles, rows)];
  }

  #gainRow({ index, text, gain, loops, logprobs, changed }: Gain, { tokens }: TextSeen): HTMLElement {
    const button = make('button', 'quiet', JSON.stringify(text));
    button.type = 'button';
    button.addEventListener('click', () => this.#choose(index));
    const before = tokens.slice(Math.max(0, index - CONTEXT), index).map((token) => token.text);
    return row(
      make('td', '', button),
      `${gain > 0 ? '+' : ''}${gain.toFixed(3)}`,
      logprobs.map((value) => value.toFixed(2)).join(' → '),
      loops.join(' → '),
      changed ? 'changed' : '',
      make('td', 'words', make('code', '', before.join(''))),
    );
  }

  async #busily(work: () => Promise<void>): Promise<void> {
    const status = byId('tokens-status', HTMLElement);
    this.#look.disabled = true;
    status.textContent = 'The models are looking.';
    try {
      await work();
      status.textContent = '';
    } catch (error) {
      status.textContent = error instanceof Error ? error.message : String(error);
      this.#onTrouble(error);
    } finally {
      this.#look.disabled = false;
    }
  }
}
