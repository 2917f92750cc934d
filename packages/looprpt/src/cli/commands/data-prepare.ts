/** `looprpt data prepare`: text to token shards. */
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { type Cli, printFacts, printJson, sayer } from '../../base/terminal/cli.js';
import { tally } from '../../base/terminal/tally.js';
import { sourceName } from '../../data/documents/source.js';
import { modelFolder } from '../../train/state/model-folder.js';
import { newCommand } from '../command.js';
import { documentOptions, documentSource } from '../document-options.js';
import { prepareWithHeldOut } from '../prepare-held-out.js';
import { integer, share } from '../values.js';

export function dataPrepareCommand(cli: Cli): CommandUnknownOpts {
  return newCommand(
    cli,
    'prepare',
    'Tokenises JSONL, JSON arrays, Parquet and plain text into shards; all but Parquet may be packed (.gz). The folder has a manifest (counts, checksums, tokenizer); training maps it into memory.',
    'npx looprpt data prepare --input corpus/ --model-or-tokenizer tokenizer/ --out shards/',
  )
    .requiredOption('--model-or-tokenizer <dir>', 'a folder with tokenizer.json, a run folder or a Hub id')
    .requiredOption('--out <dir>', 'the folder to write; it must not exist, or be empty')
    .option('--input <path...>', 'files, folders (searched to the bottom) and patterns')
    .addOption(documentOptions.dataset)
    .addOption(documentOptions.mixture)
    .addOption(documentOptions.split)
    .addOption(documentOptions.field)
    .addOption(documentOptions.prompt)
    .addOption(documentOptions.completion)
    .addOption(documentOptions.wholeLoss)
    .addOption(documentOptions.textSplit)
    .addOption(documentOptions.onBroken)
    .option(
      '--hold-out <share>',
      'keep a share of the documents for evaluation, such as 5%, in OUT-heldout; the same text is never in both',
      share,
    )
    .option('--shard-tokens <n>', 'tokens of a shard (default: 16777216)', integer(1))
    .action(async (options) => {
      const source = documentSource(options);
      const { assertFree } = await import('../../base/whole-folder.js');
      await assertFree(options.out);
      const { leftOutLines, openDocuments } = await import('../../data/documents/source.js');
      const { prepareShards } = await import('../../data/shards/prepare.js');
      const { Tokenizer } = await import('../../text/tokenizer.js');
      const say = sayer(cli, options);
      const tokenizer = await Tokenizer.load(await modelFolder(options.modelOrTokenizer, say));
      if (options.holdOut !== undefined) {
        await prepareWithHeldOut(cli, { ...options, holdOut: options.holdOut }, source, tokenizer);
        return;
      }
      const { documents, broken } = openDocuments(source);
      const counter = tally('tokenised', { stream: cli.stderr, quiet: options.quiet ?? false });
      const { counts, shards, ...manifest } = await prepareShards({
        documents,
        tokenizer,
        out: options.out,
        source: sourceName(source),
        split: options.dataset === undefined ? undefined : options.split,
        shardTokens: options.shardTokens,
        skippedRecords: () => broken.count,
        onProgress: ({ documents: done, tokens }) => counter.update(inWords(done, tokens)),
      });
      counter.done(inWords(counts.documents, counts.tokens));
      for (const line of leftOutLines(broken)) say(line);
      if (options.json) {
        printJson(cli, { out: options.out, ...manifest, counts, shards, leftOutFiles: broken.files });
        return;
      }
      printFacts(cli, [
        ['shards', `${options.out} (${shards.length}, ${manifest.dtype})`],
        ['documents', counts.documents],
        ['tokens', `${counts.tokens}, of which ${counts.lossTokens} count in the loss`],
        ...(counts.emptyDocuments > 0 ? [['empty', `${counts.emptyDocuments} left out`] as const] : []),
        ...(broken.files.length > 0 ? [['other files', `${broken.files.length} left out`] as const] : []),
        ...(counts.skippedRecords > 0 ? [['broken', `${counts.skippedRecords} left out`] as const] : []),
      ]);
    });
}

function inWords(documents: number, tokens: number): string {
  return `${documents.toLocaleString('en-US')} documents, ${tokens.toLocaleString('en-US')} tokens`;
}
