/** `looprpt data`: making and preparing text. */
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import type { Cli } from '../../base/terminal/cli.js';
import { newGroup } from '../command.js';
import { dataMakeCommand } from './data-make.js';
import { dataPrepareCommand } from './data-prepare.js';

export function dataCommand(cli: Cli): CommandUnknownOpts {
  return newGroup(cli, 'data')
    .description('Makes generated reasoning tasks, and turns text into token shards.')
    .addHelpText('after', '\nExample:\n  npx looprpt data make hop --count 2000 --out hop.jsonl')
    .addCommand(dataMakeCommand(cli))
    .addCommand(dataPrepareCommand(cli));
}
