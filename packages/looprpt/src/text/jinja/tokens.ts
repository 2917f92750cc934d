/** The tokens of one tag, read from left to right. */
import type { Token } from './lexer.js';
import { JinjaError } from './values.js';

/** How deep expressions and blocks may stand in each other. */
const DEEPEST = 200;

export class Tokens {
  private at = 0;
  private depth = 0;

  constructor(
    private readonly tokens: readonly Token[],
    private readonly line: number,
    /** Told of every name that is read as a variable. */
    readonly onName: (name: string) => void,
  ) {}

  get current(): Token | undefined {
    return this.tokens[this.at];
  }

  get isEmpty(): boolean {
    return this.at >= this.tokens.length;
  }

  isOperator(...texts: string[]): boolean {
    return this.current?.kind === 'operator' && texts.includes(this.current.text);
  }

  isName(...texts: string[]): boolean {
    return this.current?.kind === 'name' && (texts.length === 0 || texts.includes(this.current.text));
  }

  /** Whether the token after the current one is this operator. */
  isFollowedBy(operator: string): boolean {
    const next = this.tokens[this.at + 1];
    return next?.kind === 'operator' && next.text === operator;
  }

  next(): Token {
    const token = this.current;
    if (!token) throw this.error('unexpected end of the tag');
    this.at++;
    return token;
  }

  skipOperator(text: string): boolean {
    if (!this.isOperator(text)) return false;
    this.at++;
    return true;
  }

  skipName(text: string): boolean {
    if (!this.isName(text)) return false;
    this.at++;
    return true;
  }

  expectOperator(text: string): void {
    if (!this.skipOperator(text)) throw this.error(`expected '${text}', got ${this.shown()}`);
  }

  expectName(text?: string): string {
    if (!(text === undefined ? this.isName() : this.isName(text)))
      throw this.error(`expected ${text === undefined ? 'a name' : `'${text}'`}, got ${this.shown()}`);
    return this.next().text;
  }

  expectEnd(): void {
    if (!this.isEmpty) throw this.error(`unexpected ${this.shown()}`);
  }

  error(message: string): JinjaError {
    return new JinjaError(`line ${this.line}: ${message}`);
  }

  /** Reads what may hold itself. */
  nested<T>(read: () => T): T {
    if (++this.depth > DEEPEST) throw this.error(`expressions stand in each other more than ${DEEPEST} deep`);
    try {
      return read();
    } finally {
      this.depth--;
    }
  }

  private shown(): string {
    return this.current ? `'${this.current.text.slice(0, 40)}'` : 'the end of the tag';
  }
}
