/** The room to talk in: the chat page in a frame, opened when it is first looked at; without a model, how to start with one. */
import { byId } from '../../../serve/page/client/elements.js';
import type { Server } from './server.js';

export class TalkRoom {
  readonly #frame = byId('talk-frame', HTMLIFrameElement);
  readonly #server: Server;
  #hasModel = false;

  constructor(server: Server) {
    this.#server = server;
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
    if (!isShown || !this.#hasModel || this.#frame.hasAttribute('src')) return;
    // The chat page asks for no key that the reader has given already.
    this.#frame.dataset.key = this.#server.key;
    this.#frame.src = '/chat';
  }

  #sameTheme(): void {
    const root = this.#frame.contentDocument?.documentElement;
    const { theme } = document.documentElement.dataset;
    if (root && theme) root.dataset.theme = theme;
  }
}
