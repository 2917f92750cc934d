/**
 * What was said and what comes next: prompts and answers on the page, one request at a time. In a chat the earlier messages
 * go along with each new one; in a continuation each text stands alone.
 */
import { Answer } from './answer.js';
import { byId, make } from './elements.js';
import type { RememberedTurn } from './remembered.js';
import type { Message, Piece, Prompt } from './server.js';

interface Turn {
  mode: Prompt['mode'];
  asked: string;
  answer: Answer;
  element: HTMLElement;
}

const ENDINGS: Readonly<Record<string, string>> = {
  length: 'Cut off at the most tokens that were allowed.',
};

const EMPTY =
  'The model ended the text at once: its first token was an end token. A model that was not trained on chats often does; try Complete.';

export class Conversation {
  readonly #log = byId('log', HTMLElement);
  readonly #empty = byId('empty', HTMLElement);
  readonly #tip = byId('tip', HTMLElement);
  #turns: Turn[] = [];

  /** Shows a prompt with an answer that is still empty. @param loops the model's K */
  begin(mode: Prompt['mode'], asked: string, loops: number): Answer {
    const answer = new Answer(loops, this.#tip);
    const prompt = make('p', 'asked', asked);
    const element = make('article', `turn ${mode}`, make('h3', 'who', mode === 'chat' ? 'You' : 'Text'), prompt);
    element.append(make('h3', 'who', mode === 'chat' ? 'Model' : 'Continuation'), answer.element);
    this.#empty.hidden = true;
    this.#log.append(element);
    this.#turns.push({ mode, asked, answer, element });
    this.#log.setAttribute('aria-busy', 'true');
    this.#follow();
    return answer;
  }

  get isEmpty(): boolean {
    return this.#turns.length === 0;
  }

  /** All of it, as it stands. @param unfinished the note of an answer that is still being written */
  turns(unfinished: string): RememberedTurn[] {
    return this.#turns.map(({ mode, asked, answer }) => {
      const { pieces, note, isBusy } = answer;
      return { mode, asked, pieces, note: isBusy ? unfinished : note };
    });
  }

  /** Shows turns of before. @param loops the model's K */
  restore(turns: readonly RememberedTurn[], loops: number): void {
    for (const { mode, asked, pieces, note } of turns) {
      const answer = this.begin(mode, asked, loops);
      answer.add(pieces);
      answer.end(note);
    }
    this.#log.setAttribute('aria-busy', 'false');
    this.#follow();
  }

  /** What to send for the last turn. */
  get prompt(): Prompt {
    const { mode, asked } = this.#turns.at(-1)!;
    if (mode === 'complete') return { mode, text: asked };
    const chats = this.#turns.filter((turn) => turn.mode === 'chat');
    const messages = chats.flatMap(({ asked: content, answer }, i): Message[] => [
      { role: 'user', content },
      ...(i < chats.length - 1 ? [{ role: 'assistant' as const, content: answer.text }] : []),
    ]);
    return { mode, messages };
  }

  add(answer: Answer, pieces: readonly Piece[]): void {
    // Whoever scrolled up wants to read there.
    const atEnd = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < 48;
    answer.add(pieces);
    if (atEnd) this.#follow();
  }

  /** @param finish the server's reason, or words for the reader */
  end(answer: Answer, finish: string): void {
    answer.end(finish === 'stop' ? (answer.text.trim() === '' ? EMPTY : '') : (ENDINGS[finish] ?? finish));
    this.#log.setAttribute('aria-busy', 'false');
  }

  /** Takes the last turn away. @returns what was asked in it; null where there is none */
  takeBack(): { mode: Prompt['mode']; asked: string } | null {
    const turn = this.#turns.pop();
    turn?.element.remove();
    this.#empty.hidden = this.#turns.length > 0;
    return turn ?? null;
  }

  clear(): void {
    this.#turns = [];
    this.#log.replaceChildren();
    this.#empty.hidden = false;
  }

  #follow(): void {
    this.#log.scrollTop = this.#log.scrollHeight;
  }
}
