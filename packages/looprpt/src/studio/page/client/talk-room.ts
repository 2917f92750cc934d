/** The room to talk in: the chat page in a frame, opened when it is first looked at; without a model, how to start with one. */
import { byId } from '../../../serve/page/client/elements.js';

export class TalkRoom {
  readonly #frame = byId('talk-frame', HTMLIFrameElement);
  #hasModel = false;

  constructor() {
    this.#frame.addEventListener('load', () => this.#sameTheme());
    const theme = new MutationObserver(() => this.#sameTheme());
    theme.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
  }

  setModel(hasModel: boolean): void {
    this.#hasModel = hasModel;
    byId('talk-none', HTMLElement).hidden = hasModel;
    this.#frame.hidden = !hasModel;
    this.open();
  }

  /** When the room is shown. */
  open(): void {
    const isShown = !byId('room-talk', HTMLElement).hidden;
    if (isShown && this.#hasModel && !this.#frame.hasAttribute('src')) this.#frame.src = '/chat';
  }

  #sameTheme(): void {
    const root = this.#frame.contentDocument?.documentElement;
    const { theme } = document.documentElement.dataset;
    if (root && theme) root.dataset.theme = theme;
  }
}
