/**
 * Text from ids that arrive one at a time: what `push` and `end` return, joined, is the decoding of all the ids at once.
 *
 * A token may hold part of a character, so text is held back while it ends in U+FFFD. Some decoders treat the first token
 * in their own way (a leading space is dropped), so the tokens emitted last are decoded again in front of the new ones and
 * their text is cut off. The window stays as short as the longest run of unfinished characters.
 */
export class StreamDecoder {
  private context: number[] = [];
  private held: number[] = [];

  constructor(private readonly decode: (ids: readonly number[]) => string) {}

  /** The text that `id` completes; often empty for emoji and for scripts outside the vocabulary. */
  push(id: number): string {
    this.held.push(id);
    const text = this.fresh();
    if (text === '' || text.endsWith('\ufffd')) return '';
    this.context = this.held;
    this.held = [];
    return text;
  }

  /** What was held back; an unfinished character comes out as U+FFFD. The decoder starts afresh. */
  end(): string {
    const text = this.fresh();
    this.context = [];
    this.held = [];
    return text;
  }

  private fresh(): string {
    const before = this.decode(this.context);
    return this.decode([...this.context, ...this.held]).slice(before.length);
  }
}
