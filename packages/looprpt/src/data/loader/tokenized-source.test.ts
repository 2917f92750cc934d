import { expect, test } from 'vitest';
import { tinyTokenizer } from '../../../test-support/tiny-tokenizer.js';
import type { Document } from '../documents/document.js';
import { tokenizeDocuments } from '../shards/token-document.js';
import { loaderConfig, PackedLoader } from './packed-loader.js';
import { TokenizedTaskSource } from './tokenized-source.js';

const tokenizer = await tinyTokenizer();

function documentAt(index: number): Document {
  const text = `what is ${index} plus 7? the answer is ${index + 7}`;
  return index % 3 === 0 ? { text } : { text, loss: [[text.indexOf('is', 9), text.length]] };
}

const endless = () => new TokenizedTaskSource({ id: 'sums', documentAt, tokenizer });

test('a document depends on its index alone, in whatever order it is read', async () => {
  const source = endless();
  for (const index of [0, 700, 63, 64, 5, 10_000, 64, 700]) {
    expect(await source.tokens(index)).toEqual((await tokenizeDocuments(tokenizer, [documentAt(index)]))[0]);
  }
});

test('a finite source makes every document once, in any order', async () => {
  const made: number[] = [];
  const counting = (index: number) => {
    made.push(index);
    return documentAt(index);
  };
  const source = new TokenizedTaskSource({ id: 'sums', documentAt: counting, tokenizer, length: 150 });
  for (let i = 0; i < 300; i++) await source.tokens((i * 77) % 150);
  expect(made.sort((a, b) => a - b)).toEqual([...Array(150).keys()]);
});

test('an endless source resumes exactly', async () => {
  const config = loaderConfig.parse({ batchSize: 2, sequenceLength: 50, pack: 'whole' });
  const loader = new PackedLoader(endless(), config);
  for (let i = 0; i < 40; i++) await loader.next();
  const resumed = new PackedLoader(endless(), config);
  resumed.restore(JSON.parse(JSON.stringify(loader.state())));
  for (let i = 0; i < 5; i++) expect(await resumed.next()).toEqual(await loader.next());
});
