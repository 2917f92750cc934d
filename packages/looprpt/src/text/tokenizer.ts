/**
 * A Hugging Face tokenizer folder (`tokenizer.json` and its small companions): text to ids and back.
 *
 * The work is done by Hugging Face's own library, whose Node binding encodes on a thread pool, hence the promises; it is
 * loaded at the first `Tokenizer.load`, so that importing this module costs nothing. Nothing is ever added (no BOS, no
 * template of the file), cut or padded. The text of a special token inside the input becomes that token.
 *
 * Positions in text are UTF-16 code units everywhere, as in JavaScript strings.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Decoder, Encoding, Tokenizer as HfTokenizer } from 'tokenizers';
import { z } from 'zod';
import { UserError } from '../base/user-error.js';
import { codePointToUtf16 } from './offsets.js';
import { StreamDecoder } from './stream-decoder.js';
import { mostTokenBytes } from './token-bytes.js';
import {
  oneLine,
  parseJson,
  readGenerationEnds,
  readOptional,
  readTokenizerConfig,
  type TokenizerConfig,
} from './tokenizer-config.js';
import { tokenizerFault } from './tokenizer-limits.js';

export const END_OF_TEXT = '<|endoftext|>';
export const IM_START = '<|im_start|>';
export const IM_END = '<|im_end|>';

/** Marked special in Ouro's file, and yet part of what a model says: a reader parts the reasoning from the answer by them. */
const SPOKEN = new Set(['<think>', '</think>', '<tool_call>', '</tool_call>']);

/** Ids, and for each the half-open range of text that it covers (the ids of one character cover that whole character). */
export interface EncodedText {
  ids: Int32Array;
  starts: Int32Array;
  ends: Int32Array;
}

/** The parts of `tokenizer.json` that the binding does not tell us. */
const tokenizerFile = z.looseObject({
  model: z.looseObject({
    vocab: z.union([z.record(z.string(), z.number().int().nonnegative()), z.array(z.unknown())]),
  }),
  added_tokens: z
    .array(z.looseObject({ id: z.number().int().nonnegative(), content: z.string(), special: z.boolean() }))
    .default([]),
});

/** The tokenizer of a model folder: text to ids and back. It holds no native tensors. */
export class Tokenizer {
  private constructor(
    /** The folder that it came from. */
    readonly dir: string,
    /** SHA-256 of `tokenizer.json`, in hexadecimal. */
    readonly hash: string,
    /** One more than the largest id. */
    readonly vocabSize: number,
    /** Most bytes of text that one token stands for; null where any number may. */
    readonly tokenBytes: number | null,
    private readonly hf: HfTokenizer,
    private readonly decoder: Decoder | null,
    /** Texts of the special tokens that `skipSpecial` leaves out. */
    private readonly hidden: ReadonlyMap<number, string>,
    private readonly config: TokenizerConfig,
    /** End tokens of `generation_config.json`. */
    private readonly generationEnds: readonly number[],
  ) {}

  /** @throws UserError when the folder has no `tokenizer.json`, or one that cannot be used. */
  static async load(dir: string): Promise<Tokenizer> {
    const path = join(dir, 'tokenizer.json');
    const text = await readOptional(path);
    if (text === null) {
      throw new UserError(`${dir}: no tokenizer.json here; give the folder of a checkpoint or of a trained tokenizer`);
    }
    const parsed = tokenizerFile.safeParse(parseJson(path, text));
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      throw new UserError(`${path}: ${issue?.path.join('.') || 'top level'}: ${issue?.message}`);
    }
    const fault = tokenizerFault(parsed.data);
    if (fault !== null) throw new UserError(`${path}: ${fault}; the file is damaged or not a real tokenizer's`);
    const { model, added_tokens: added } = parsed.data;
    let largest = Array.isArray(model.vocab) ? model.vocab.length - 1 : -1;
    if (!Array.isArray(model.vocab)) for (const id of Object.values(model.vocab)) largest = Math.max(largest, id);
    for (const { id } of added) largest = Math.max(largest, id);

    const config = await readTokenizerConfig(dir);
    const { Tokenizer: Hf } = await import('tokenizers');
    let hf: HfTokenizer;
    try {
      hf = Hf.fromString(text);
    } catch (error) {
      throw new UserError(`${path}: not a usable tokenizer (${oneLine(error)})`);
    }
    hf.disableTruncation();
    hf.disablePadding();
    const entries = Array.isArray(model.vocab) ? [] : Object.keys(model.vocab);
    const tokenBytes = mostTokenBytes(parsed.data, [...entries, ...added.map(({ content }) => content)]);
    const hidden = added.filter(({ special, content }) => special && !SPOKEN.has(content));
    const hiddenTexts = new Map(hidden.map(({ id, content }) => [id, content]));
    const hash = createHash('sha256').update(text).digest('hex');
    return new Tokenizer(
      dir,
      hash,
      largest + 1,
      tokenBytes,
      hf,
      hf.getDecoder(),
      hiddenTexts,
      config,
      await readGenerationEnds(dir),
    );
  }

  /** The ids of a text; nothing is added to it. */
  async encode(text: string): Promise<Int32Array> {
    const encoding = await this.encoded(this.hf.encode(text, null, { addSpecialTokens: false }));
    return Int32Array.from(encoding.getIds());
  }

  /** Several texts at once, on all cores. */
  async encodeBatch(texts: readonly string[]): Promise<Int32Array[]> {
    const encodings = await this.encoded(this.hf.encodeBatch([...texts], { addSpecialTokens: false }));
    return encodings.map((encoding) => Int32Array.from(encoding.getIds()));
  }

  /** As `encode`, and where in the text each id comes from. */
  async encodeWithOffsets(text: string): Promise<EncodedText> {
    return located(text, await this.encoded(this.hf.encode(text, null, { addSpecialTokens: false })));
  }

  /** A file may load and yet not serve for every text, such as one whose unknown token is not in its vocabulary. */
  private encoded<T>(encoding: Promise<T>): Promise<T> {
    return encoding.catch((error: unknown) => {
      throw new UserError(`${this.dir}: its tokenizer.json cannot encode this text (${oneLine(error)})`);
    });
  }

  /**
   * The text of `ids`. Bytes that are not UTF-8 become U+FFFD; ids outside the vocabulary are left out.
   * @param options.skipSpecial leave special tokens out, but for those of thinking and of tool calls (default false)
   */
  decode(ids: ArrayLike<number>, options: { skipSpecial?: boolean } = {}): string {
    const tokens: string[] = [];
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!;
      if (options.skipSpecial && this.hidden.has(id)) continue;
      const token = this.hf.idToToken(id);
      if (token !== null) tokens.push(token);
    }
    return this.decoder === null ? tokens.join(' ') : this.decoder.decode(tokens);
  }

  /** A decoder for ids that arrive one at a time; see `stream-decoder.ts`. */
  stream(options: { skipSpecial?: boolean } = {}): StreamDecoder {
    return new StreamDecoder((ids) => this.decode(ids, options));
  }

  /** The id whose entry in the vocabulary is `token`, byte-level letters as they are written there. */
  idOf(token: string): number | undefined {
    return this.hf.tokenToId(token) ?? undefined;
  }

  /** The text of a token that `skipSpecial` leaves out; null for all others. */
  hiddenText(id: number): string | null {
    return this.hidden.get(id) ?? null;
  }

  /** The id that ends a document: `<|endoftext|>`, else the file's eos token. */
  get endOfTextId(): number {
    const id = this.idOf(END_OF_TEXT) ?? this.named('eos_token');
    if (id !== undefined) return id;
    throw new UserError(`${this.dir}: the tokenizer has neither ${END_OF_TEXT} nor an eos_token to end documents with`);
  }

  /** The id that fills unused places; its value never matters, because padding is masked. */
  get padId(): number {
    return this.named('pad_token') ?? this.endOfTextId;
  }

  /**
   * The ids after which generation stops, of every file that names some: the model's config, `generation_config.json`, the
   * tokenizer's end token and the end of a document. In chat a turn ends with `<|im_end|>` whatever they say (Ouro's files
   * name id 0 alone, with which a chat would run on).
   * @param options.eosTokenIds of the model's config
   */
  stopIds({ chat, eosTokenIds }: { chat: boolean; eosTokenIds: readonly number[] }): number[] {
    const own = [chat ? this.idOf(IM_END) : undefined, this.named('eos_token'), this.endOfTextId];
    return [...new Set([...own.filter((id) => id !== undefined), ...this.generationEnds, ...eosTokenIds])];
  }

  /** Special tokens that the folder's files name, as they stand in texts; null for the others. */
  get names(): Record<'bos_token' | 'eos_token' | 'pad_token' | 'unk_token', string | null> {
    const { bos_token = null, eos_token = null, pad_token = null, unk_token = null } = this.config;
    return { bos_token, eos_token, pad_token, unk_token };
  }

  private named(name: 'eos_token' | 'pad_token'): number | undefined {
    const token = this.config[name];
    return token == null ? undefined : this.idOf(token);
  }
}

function located(text: string, encoding: Encoding): EncodedText {
  const ids = Int32Array.from(encoding.getIds());
  const starts = new Int32Array(ids.length);
  const ends = new Int32Array(ids.length);
  encoding.getOffsets().forEach(([start, end], i) => {
    starts[i] = start!;
    ends[i] = end!;
  });
  codePointToUtf16(text, starts);
  codePointToUtf16(text, ends);
  return { ids, starts, ends };
}
