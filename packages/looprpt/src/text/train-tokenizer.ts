/**
 * Trains a byte-level BPE tokenizer and writes it as a Hugging Face folder.
 *
 * The format is Ouro's (the GPT-2 family): every digit on its own, GPT-2's byte-level split, no normaliser, nothing added
 * automatically. Ids: 0 `<|endoftext|>`, 1 `<|im_start|>`, 2 `<|im_end|>`, then all 256 bytes, so that any text
 * round-trips, then the merges. The same corpus gives the same bytes in the files.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../base/user-error.js';
import { assertFree, writeWholeFolder } from '../base/whole-folder.js';
import { learnMerges } from './bpe/learn-merges.js';
import { countWords } from './bpe/word-counts.js';
import { CHATML_TEMPLATE } from './chat-template.js';
import { END_OF_TEXT, IM_END, IM_START } from './tokenizer.js';

const SPECIAL = [END_OF_TEXT, IM_START, IM_END];
const BYTES = 256;

/** What `trainTokenizer` is given. */
export interface TrainTokenizerOptions {
  texts: AsyncIterable<string> | Iterable<string>;
  /** Entries wanted, special tokens and bytes included; at least 259. */
  vocabSize: number;
  /** The folder to write; must not exist, or be empty. */
  out: string;
  /** A pair that occurs less often than this is not joined (default 2). */
  minFrequency?: number;
}

/** What became of it. */
export interface TrainedTokenizer {
  /** Entries in the vocabulary; fewer than asked for when the corpus has no more pairs to join. */
  vocabSize: number;
  /** Different words seen. */
  words: number;
}

/**
 * Trains a byte-level BPE tokenizer and writes it as a Hugging Face folder. The same texts give the same files.
 * @throws UserError for a vocabulary too small, no text, or a folder that is taken
 */
export async function trainTokenizer(options: TrainTokenizerOptions): Promise<TrainedTokenizer> {
  const smallest = SPECIAL.length + BYTES;
  if (!Number.isSafeInteger(options.vocabSize) || options.vocabSize < smallest) {
    throw new UserError(
      `vocabulary size ${options.vocabSize}: give at least ${smallest} (${SPECIAL.length} special tokens and ${BYTES} bytes)`,
    );
  }
  await assertFree(options.out);
  const { byteLevelAlphabet } = await import('tokenizers');
  const words = await countWords(options.texts);
  if (words.size === 0) throw new UserError('the input holds no text: there is nothing to train a tokenizer on');
  const { symbols, merges } = learnMerges(words, {
    alphabet: byteLevelAlphabet().sort(),
    symbols: options.vocabSize - SPECIAL.length,
    minFrequency: options.minFrequency ?? 2,
  });
  const entries = [...SPECIAL, ...symbols];
  const files = {
    'tokenizer.json': tokenizerJson(entries, merges),
    'tokenizer_config.json': tokenizerConfigJson(),
    'special_tokens_map.json': specialTokens(),
  };
  await writeWholeFolder(options.out, async (dir) => {
    for (const [name, content] of Object.entries(files)) {
      await writeFile(join(dir, name), `${JSON.stringify(content, null, 2)}\n`);
    }
  });
  return { vocabSize: entries.length, words: words.size };
}

function addedToken(content: string) {
  return { content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
}

function tokenizerJson(entries: readonly string[], merges: ReadonlyArray<readonly [string, string]>) {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIAL.map((content, id) => ({ id, ...addedToken(content) })),
    normalizer: null,
    pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel] },
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(entries.map((entry, id) => [entry, id])),
      merges,
    },
  };
}

function specialTokens() {
  return { bos_token: END_OF_TEXT, eos_token: END_OF_TEXT, unk_token: END_OF_TEXT, pad_token: END_OF_TEXT };
}

function tokenizerConfigJson() {
  return {
    tokenizer_class: 'GPT2Tokenizer',
    add_prefix_space: false,
    clean_up_tokenization_spaces: false,
    added_tokens_decoder: Object.fromEntries(SPECIAL.map((content, id) => [id, addedToken(content)])),
    additional_special_tokens: SPECIAL,
    ...specialTokens(),
    chat_template: CHATML_TEMPLATE,
  };
}
