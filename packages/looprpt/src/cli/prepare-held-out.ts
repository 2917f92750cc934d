/** `data prepare --hold-out`: two folders of shards from one reading of the options. */
import { type Cli, printFacts, printJson, sayer } from '../base/terminal/cli.js';
import { tally } from '../base/terminal/tally.js';
import { UserError } from '../base/user-error.js';
import type { Part } from '../data/documents/hold-out.js';
import {
  type DocumentSourceConfig,
  leftOutLines,
  type OpenSource,
  openDocuments,
  sourceName,
} from '../data/documents/source.js';
import { heldOutFolder, prepareParts } from '../data/shards/prepare-parts.js';
import type { Tokenizer } from '../text/tokenizer.js';

interface HeldOutOptions {
  out: string;
  holdOut: number;
  dataset?: string | undefined;
  shardTokens?: number | undefined;
  quiet?: true | undefined;
  json?: true | undefined;
}

export async function prepareWithHeldOut(
  cli: Cli,
  options: HeldOutOptions,
  source: DocumentSourceConfig,
  tokenizer: Tokenizer,
): Promise<void> {
  if (options.dataset !== undefined)
    throw new UserError(
      `--hold-out: ${options.dataset} has a held-out part of its own; prepare it with --split heldout`,
    );
  const opened: Partial<Record<Part, OpenSource>> = {};
  const counter = tally('tokenised', { stream: cli.stderr, quiet: options.quiet ?? false });
  const words = (part: Part, { documents, tokens }: { documents: number; tokens: number }): string =>
    `${part}: ${documents.toLocaleString('en-US')} documents, ${tokens.toLocaleString('en-US')} tokens`;
  const made = await prepareParts({
    open: (part) => {
      opened[part] = openDocuments(source);
      return opened[part].documents;
    },
    share: options.holdOut,
    tokenizer,
    out: options.out,
    source: sourceName(source),
    shardTokens: options.shardTokens,
    skippedRecords: (part) => opened[part]!.broken.count,
    onProgress: (part, done) => counter.update(words(part, done)),
  });
  counter.done(words('train', made.train.counts));
  const say = sayer(cli, options);
  for (const line of leftOutLines(opened.train!.broken)) say(line);
  const heldOut = heldOutFolder(options.out);
  if (options.json) {
    printJson(cli, {
      out: options.out,
      ...made.train,
      leftOutFiles: opened.train!.broken.files,
      heldOut: { out: heldOut, ...made.heldout },
    });
    return;
  }
  printFacts(cli, [
    ['shards', `${options.out}, ${words('train', made.train.counts)}`],
    ['held out', `${heldOut}, ${words('heldout', made.heldout.counts)}; by a hash of each text`],
  ]);
}
