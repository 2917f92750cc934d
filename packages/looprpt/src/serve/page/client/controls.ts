/** The settings beside the conversation, read when a request is sent. The mode is kept through reloads. */
import { byId } from './elements.js';
import { keep, readKept } from './kept.js';
import type { Model, Prompt, Settings } from './server.js';

const MODE = 'looprpt-mode';

export class Controls {
  readonly #threshold = byId('threshold', HTMLInputElement);
  readonly #maxLoops = byId('max-loops', HTMLInputElement);
  readonly #temperature = byId('temperature', HTMLInputElement);
  readonly #maxTokens = byId('max-tokens', HTMLInputElement);
  readonly #seed = byId('seed', HTMLInputElement);
  readonly #modes = document.querySelectorAll<HTMLInputElement>('input[name=mode]');
  readonly #speculate = byId('speculate', HTMLInputElement);
  readonly #key = byId('key', HTMLInputElement);
  readonly #keyBox = byId('key-box', HTMLDetailsElement);
  /** What the reader has set by hand, which `fit` leaves alone where the model can do it. */
  readonly #chosen = new Set<HTMLInputElement>();

  /** @param onMode after the reader changed it */
  constructor(onMode: (mode: Prompt['mode']) => void) {
    // The studio's page, which shows this one in a frame, hands over the key that it was given.
    this.#key.value = (window.frameElement as HTMLElement | null)?.dataset.key ?? '';
    for (const slider of [this.#threshold, this.#maxLoops, this.#temperature]) {
      slider.addEventListener('input', () => this.#label(slider));
      this.#label(slider);
    }
    const before = readKept(MODE, 'tab');
    for (const radio of this.#modes) {
      radio.addEventListener('change', () => {
        keep(MODE, this.mode, 'tab');
        onMode(this.mode);
      });
      if (radio.value !== before) continue;
      radio.checked = true;
      this.#chosen.add(radio);
    }
    for (const control of [this.#threshold, this.#maxLoops, ...this.#modes])
      control.addEventListener('input', () => this.#chosen.add(control));
    this.#speculate.addEventListener('change', () => {
      this.#threshold.disabled = this.#speculate.checked;
    });
    const numbers = byId('show-loops', HTMLInputElement);
    const show = (): void => void document.body.classList.toggle('numbered', numbers.checked);
    numbers.addEventListener('change', show);
    show();
  }

  get mode(): Prompt['mode'] {
    return [...this.#modes].find(({ checked }) => checked)?.value === 'chat' ? 'chat' : 'complete';
  }

  get key(): string {
    return this.#key.value.trim();
  }

  get settings(): Settings {
    return {
      speculate: this.#speculate.checked,
      exitThreshold: Number(this.#threshold.value),
      maxLoops: Number(this.#maxLoops.value),
      temperature: Number(this.#temperature.value),
      maxTokens: whole(this.#maxTokens),
      seed: whole(this.#seed),
    };
  }

  /** Fits the controls to what the model can do. */
  fit({ looprpt: { loops, chat, example, max_loops: maxLoops, exit_threshold: threshold } }: Model): void {
    this.#maxLoops.max = String(loops);
    if (!this.#chosen.has(this.#maxLoops)) this.#maxLoops.value = String(maxLoops);
    // A server that exits early says where; at 1 nothing would be seen of it.
    if (threshold !== null && threshold < 1 && !this.#chosen.has(this.#threshold))
      this.#threshold.value = String(threshold);
    for (const slider of [this.#maxLoops, this.#threshold]) this.#label(slider);
    const keepsMode = [...this.#modes].some((radio) => radio.checked && this.#chosen.has(radio));
    for (const radio of this.#modes) {
      const isChat = radio.value === 'chat';
      // A model of a task goes on with texts of it; it has learnt no conversation.
      if (!chat || !keepsMode) radio.checked = isChat === (chat && example === null);
      radio.disabled = isChat && !chat;
    }
    byId('no-chat', HTMLElement).hidden = chat;
  }

  askForKey(): void {
    this.#keyBox.open = true;
    this.#key.focus();
  }

  /** @param use called with Enter in the key's field */
  onKey(use: () => void): void {
    byId('key-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      use();
    });
  }

  #label(slider: HTMLInputElement): void {
    const value = Number(slider.value);
    const text = slider === this.#maxLoops ? `${value} of ${slider.max}` : value.toFixed(2);
    byId(`${slider.id}-value`, HTMLElement).textContent = text;
    slider.setAttribute('aria-valuetext', text);
  }
}

/** A number field's whole number within its limits; its default where there is none. */
function whole(field: HTMLInputElement): number {
  const value = Math.round(Number(field.value));
  const within =
    field.value.trim() !== '' && value >= Number(field.min) && (field.max === '' || value <= Number(field.max));
  if (!within) field.value = field.defaultValue;
  return within ? value : Number(field.defaultValue);
}
