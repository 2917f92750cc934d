/**
 * One text of an answer as it grows: from the decoder's news to pieces that either dialect can write down, the prompt in front
 * where that is wanted. All pieces joined are the whole.
 */
import type { DraftCounts } from '../../decode/speculation.js';
import type { LikelyToken, PromptNews, TextNews } from '../worker/protocol.js';

/** A token with its log-probability, at its place in the choice's text. */
export interface PlacedToken {
  text: string;
  /** null for the first token of a prompt. */
  logProb: number | null;
  top: readonly LikelyToken[];
  /** Code points before it. */
  offset: number;
}

export interface Piece {
  index: number;
  text: string;
  /** null where no log-probabilities are wanted. */
  tokens: PlacedToken[] | null;
  /** Of tokens that were made: the loop of each, and the text that it made certain. */
  loops: number[];
  texts: string[];
  /** The loop after which each was started, null for those that were not. */
  drafted: (number | null)[];
  /** Set with the end of a text that speculates. */
  speculation: DraftCounts | null;
  finish: 'stop' | 'length' | null;
}

export class ChoiceText {
  readonly whole: Piece;
  #prompt: PromptNews['echo'];
  #offset = 0;

  constructor(index: number, { echo }: PromptNews, isScored: boolean) {
    this.whole = {
      index,
      text: '',
      tokens: isScored ? [] : null,
      loops: [],
      texts: [],
      drafted: [],
      speculation: null,
      finish: null,
    };
    this.#prompt = echo;
  }

  /** What the news adds. */
  take(news: TextNews): Piece {
    const { token, end, finish } = news;
    // Cancelled texts are not told to anyone.
    const piece: Piece = {
      ...this.whole,
      ...this.#echo(news),
      loops: [],
      texts: [],
      drafted: [],
      speculation: news.speculation ?? null,
      finish: finish === 'cancelled' ? null : finish,
    };
    piece.text += news.text;
    if (token) {
      piece.tokens?.push(this.#place(token, token.logProb, token.piece));
      piece.loops.push(token.loop);
      piece.texts.push(news.text);
      piece.drafted.push(token.drafted ?? null);
    }
    if (end) piece.tokens?.push(this.#place(end, end.logProb, ''));
    this.#append(piece, news.text);
    return piece;
  }

  /** The prompt, in front of the first piece. */
  #echo({ prompt }: TextNews): Pick<Piece, 'text' | 'tokens'> {
    const echo = this.#prompt;
    this.#prompt = null;
    if (!echo) return { text: '', tokens: this.whole.tokens && [] };
    const scores = [null, ...(prompt ?? [])];
    const tokens = echo.tokens.map((token, t) => {
      const score = scores[t];
      return this.#place({ text: token.text, top: score?.top ?? [] }, score?.logProb ?? null, token.piece);
    });
    return { text: echo.text, tokens: this.whole.tokens && tokens };
  }

  #place(
    { text, top }: { text: string; top: readonly LikelyToken[] },
    logProb: number | null,
    piece: string,
  ): PlacedToken {
    const offset = this.#offset;
    this.#offset += codePoints(piece);
    return { text, logProb, top, offset };
  }

  #append({ text, tokens, loops, texts, drafted, speculation, finish }: Piece, made: string): void {
    const { whole } = this;
    // Text that was held back until the end belongs to the last token.
    if (loops.length === 0 && whole.texts.length > 0) whole.texts.push(whole.texts.pop() + made);
    whole.text += text;
    whole.tokens?.push(...(tokens ?? []));
    whole.loops.push(...loops);
    whole.texts.push(...texts);
    whole.drafted.push(...drafted);
    whole.speculation ??= speculation;
    whole.finish = finish;
  }
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
