/** A small real tokenizer for tests, trained on a few lines into a folder of its own. Not for use outside tests. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokenizer } from 'looprpt/internal/text/tokenizer.js';
import { trainTokenizer } from 'looprpt/internal/text/train-tokenizer.js';

export const TINY_CORPUS = [
  'the cat sat on the mat and the dog sat on the log',
  'what is 12 plus 30? the answer is 42.\nthe answer to 7 plus 8 is 15.',
  'naïve café, 漢字 and 😀 emoji 👩‍👩‍👧 in one line; the emoji again 😀😀',
];

/** Its folder lies in the system's temporary directory. */
export async function tinyTokenizer(vocabSize = 290): Promise<Tokenizer> {
  const dir = join(await mkdtemp(join(tmpdir(), 'looprpt-tokenizer-')), 'tokenizer');
  await trainTokenizer({ texts: TINY_CORPUS, vocabSize, out: dir });
  return Tokenizer.load(dir);
}
