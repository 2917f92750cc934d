/** Lines of several processes on one stream: whole lines, each with a name in front; the last ones are remembered. */
import { StringDecoder } from 'node:string_decoder';

const REMEMBERED = 10;

export class LinePrefix {
  readonly #write: (text: string) => void;
  readonly #prefix: string;
  readonly #decoder = new StringDecoder('utf8');
  #begun = '';
  #last: string[] = [];

  constructor(prefix: string, write: (text: string) => void) {
    this.#prefix = prefix;
    this.#write = write;
  }

  push(chunk: Buffer): void {
    const lines = (this.#begun + this.#decoder.write(chunk)).split('\n');
    this.#begun = lines.pop()!;
    for (const line of lines) this.#line(line);
  }

  /** What stands behind the last newline is a line too. */
  end(): void {
    const rest = this.#begun + this.#decoder.end();
    this.#begun = '';
    if (rest !== '') this.#line(rest);
  }

  /** The last lines, without the prefix. */
  get last(): readonly string[] {
    return this.#last;
  }

  #line(text: string): void {
    this.#write(`${this.#prefix}${text}\n`);
    this.#last = [...this.#last, text].slice(-REMEMBERED);
  }
}
