/** `looprpt pretrain`: a base LoopLM, from scratch or continued. */
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import type { Cli } from '../../base/terminal/cli.js';
import { newTrainingCommand } from '../training-command.js';

export function pretrainCommand(cli: Cli): CommandUnknownOpts {
  return newTrainingCommand(
    cli,
    'pretrain',
    "Trains a base LoopLM. From scratch (model.architecture) or further (model.from), by objective.kind: Ouro's stage I (stage1), plain cross-entropy over all loops (uniform-ce), or stage II for the gate (gate, needs model.from).",
    'npx looprpt pretrain --config recipes/hop-base.yaml --set steps=500',
  );
}
