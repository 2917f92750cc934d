/** `tokenizer.json` and the files beside it. The reader is a library in Rust: what it does to the process is seen from outside. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { ChatTemplate } from 'looprpt/internal/text/chat-template.js';
import { Tokenizer } from 'looprpt/internal/text/tokenizer.js';
import { tinyTokenizer } from '../../../../packages/looprpt/test-support/dist/tiny-tokenizer.js';
import { mutatedJson } from '../mutate/json.js';
import type { CaseFiles, FuzzTarget } from '../target.js';

const TEXT = 'the cat <|endoftext|> sat on 12 mats, 漢字 😀\n';

async function honestFiles(): Promise<Map<string, unknown>> {
  const { dir } = await tinyTokenizer(266);
  const names = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'];
  return new Map(names.map((name) => [name, JSON.parse(readFileSync(join(dir, name), 'utf8')) as unknown]));
}

export async function tokenizerFile(): Promise<FuzzTarget> {
  const honest = (await honestFiles()).get('tokenizer.json') as { model: { vocab: object } };
  // The bytes' entries are many and alike; with a few of them the changes fall on the rest more often.
  const vocab = Object.fromEntries(Object.entries(honest.model.vocab).filter((_, i) => i < 12 || i > 250));
  const small = { ...honest, model: { ...honest.model, vocab } };
  return {
    cases: fc
      .oneof(mutatedJson(honest), mutatedJson(small), ...shapes(small).map(mutatedJson))
      .map((bytes): CaseFiles => [['tokenizer.json', bytes]]),
    async read(folder) {
      const tokenizer = await Tokenizer.load(folder);
      const ids = await tokenizer.encode(TEXT);
      await tokenizer.encodeWithOffsets(TEXT);
      tokenizer.decode(ids, { skipSpecial: true });
      tokenizer.decode([0, 3, 2 ** 31, 7]);
      void tokenizer.padId;
      tokenizer.stopIds({ chat: true, eosTokenIds: [] });
    },
  };
}

/** The same with other models, normalisers, pre-tokenisers and decoders, such as other families' files have. */
function shapes(small: object): object[] {
  const model = (type: string, more: object): object => ({ ...small, model: { type, ...more } });
  const vocab = { a: 0, b: 1, '[UNK]': 2, '##a': 3, ab: 4 };
  const replace = { type: 'Replace', pattern: { Regex: '(a|b)+' }, content: ' ' };
  const metaspace = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true };
  return [
    model('WordPiece', { vocab, unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 100 }),
    model('WordLevel', { vocab, unk_token: '[UNK]' }),
    model('Unigram', {
      unk_id: 0,
      vocab: [
        ['<unk>', 0],
        ['a', -1],
        ['▁the', -2.5],
      ],
      byte_fallback: false,
    }),
    {
      ...small,
      normalizer: {
        type: 'Sequence',
        normalizers: [{ type: 'NFKC' }, replace, { type: 'Strip', strip_left: true, strip_right: true }],
      },
      pre_tokenizer: {
        type: 'Sequence',
        pretokenizers: [
          metaspace,
          { type: 'Split', pattern: { Regex: '\\p{N}{1,3}' }, behavior: 'Isolated', invert: false },
        ],
      },
      decoder: { type: 'Sequence', decoders: [{ type: 'ByteFallback' }, { type: 'Fuse' }, metaspace] },
      truncation: { direction: 'Right', max_length: 4, strategy: 'LongestFirst', stride: 0 },
      padding: {
        strategy: { Fixed: 8 },
        direction: 'Right',
        pad_to_multiple_of: 4,
        pad_id: 0,
        pad_type_id: 0,
        pad_token: 'x',
      },
      post_processor: {
        type: 'TemplateProcessing',
        single: [{ SpecialToken: { id: 'a', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
        pair: [],
        special_tokens: { a: { id: 'a', ids: [0], tokens: ['a'] } },
      },
    },
  ];
}

/** Which tokens have a name, and the chat template: a program of the file's author. */
export async function tokenizerConfig(): Promise<FuzzTarget> {
  const honest = await honestFiles();
  const tokenizer = Buffer.from(JSON.stringify(honest.get('tokenizer.json')));
  const config = honest.get('tokenizer_config.json') as object;
  // Its library is loaded now, not while a case is watched.
  await ChatTemplate.parse('', 'nowhere');
  const several = { ...config, chat_template: [{ name: 'default', template: '{{ messages[0].content }}' }] };
  return {
    cases: fc
      .tuple(fc.oneof(mutatedJson(config), mutatedJson(several)), mutatedJson(honest.get('special_tokens_map.json')))
      .map(
        ([bytes, map]): CaseFiles => [
          ['tokenizer.json', tokenizer],
          ['tokenizer_config.json', bytes],
          ['special_tokens_map.json', map],
        ],
      ),
    async read(folder) {
      const { padId } = await Tokenizer.load(folder);
      void padId;
      const template = await ChatTemplate.load(folder);
      template?.render([{ role: 'user', content: 'x' }], { addGenerationPrompt: true });
    },
  };
}
