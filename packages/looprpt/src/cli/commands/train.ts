/** `looprpt train`: LoopRPT, or a baseline, on a model that is there. */
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import type { Cli } from '../../base/terminal/cli.js';
import { newTrainingCommand } from '../training-command.js';

export function trainCommand(cli: Cli): CommandUnknownOpts {
  return newTrainingCommand(
    cli,
    'train',
    'Improves a LoopLM by LoopRPT or by a baseline. The model is model.from (a model folder, a Hub id or a run folder); objective.kind is one of looprpt, stage1, gate, uniform-ce, hard-token-ce; preset stands for named settings of LoopRPT: paper, paper-gate, fast, all-tokens, tethered.',
    'npx looprpt train --config recipes/hop-looprpt.yaml --set objective.rho=0.3',
  );
}
