/** `looprpt tokenizer train`: a byte-level BPE as a Hugging Face folder. */
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { type Cli, printJson, printLine, sayer } from '../../base/terminal/cli.js';
import { tally } from '../../base/terminal/tally.js';
import { newCommand, newGroup } from '../command.js';
import { documentOptions, documentSource } from '../document-options.js';
import { integer } from '../values.js';

export function tokenizerCommand(cli: Cli): CommandUnknownOpts {
  return newGroup(cli, 'tokenizer')
    .description('Trains tokenizers.')
    .addHelpText('after', '\nExample:\n  npx looprpt tokenizer train --input corpus/ --vocab 4096 --out tokenizer/')
    .addCommand(trainCommand(cli));
}

function trainCommand(cli: Cli): CommandUnknownOpts {
  return newCommand(
    cli,
    'train',
    'Trains a byte-level BPE tokenizer, written as a Hugging Face folder. The same text gives the same files.',
    'npx looprpt tokenizer train --input corpus/ --vocab 4096 --out tokenizer/',
  )
    .requiredOption('--vocab <n>', 'entries, special tokens and the 256 bytes included', integer(1))
    .requiredOption('--out <dir>', 'the folder to write; it must not exist, or be empty')
    .option('--input <path...>', 'files, folders (searched to the bottom) and patterns')
    .addOption(documentOptions.dataset)
    .addOption(documentOptions.mixture)
    .addOption(documentOptions.split)
    .addOption(documentOptions.field)
    .addOption(documentOptions.prompt)
    .addOption(documentOptions.completion)
    .addOption(documentOptions.textSplit)
    .addOption(documentOptions.onBroken)
    .option('--min-frequency <n>', 'a pair that occurs less often is not joined', integer(1), 2)
    .action(async (options) => {
      const { leftOutLines, openDocuments } = await import('../../data/documents/source.js');
      const { trainTokenizer } = await import('../../text/train-tokenizer.js');
      const { documents, broken } = openDocuments(documentSource(options));
      const say = sayer(cli, options);
      const counter = tally('read', { stream: cli.stderr, quiet: options.quiet ?? false });
      let count = 0;
      const words = (): string => `${count.toLocaleString('en-US')} documents`;
      const texts = async function* (): AsyncGenerator<string> {
        for await (const { text } of documents) {
          count++;
          counter.update(words());
          yield text;
        }
        counter.done(words());
      };
      const { out, vocab, minFrequency } = options;
      const trained = await trainTokenizer({ texts: texts(), vocabSize: vocab, out, minFrequency });
      for (const line of leftOutLines(broken)) say(line);
      if (options.json) {
        const left = { skippedRecords: broken.count, leftOutFiles: broken.files };
        printJson(cli, { out, ...trained, documents: count, ...left });
        return;
      }
      const fewer = trained.vocabSize < vocab ? ` (fewer than ${vocab}: the text has no more pairs to join)` : '';
      printLine(cli, `${out}: ${trained.vocabSize} entries${fewer}, from ${trained.words} different words`);
    });
}
