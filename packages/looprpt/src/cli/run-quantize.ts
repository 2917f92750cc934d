/** The work of `looprpt quantize`: a model's matrices made whole numbers, with or without text to calibrate on. */
import { prepareEngine } from '../base/prepare-engine.js';
import { type Cli, sayer } from '../base/terminal/cli.js';
import { loadingLine } from '../base/terminal/loading.js';
import type { TerminalOptions } from '../base/terminal/output.js';
import { tally } from '../base/terminal/tally.js';
import { assertFree } from '../base/whole-folder.js';
import { type ModelQuantisation, quantisationName } from '../checkpoint/quantisation.js';
import type { Fit } from '../checkpoint/quantise/fitting.js';
import { quantiseModel } from '../checkpoint/quantise-model.js';
import { type CalibrationText, calibrationText } from '../eval/calibration-text.js';
import { assertQuantisingFits } from '../eval/quantising-memory.js';
import { Tokenizer } from '../text/tokenizer.js';
import { fitter, type OnFit } from '../train/fit-quantised.js';
import { modelFolder } from '../train/state/model-folder.js';
import type { CommonOptions } from './command.js';
import type { DocumentOptions } from './document-options.js';
import { heldOutOf } from './held-out.js';

export interface QuantizeOptions extends DocumentOptions, CommonOptions {
  out: string;
  /** Text: a path, or `task:NAME`. */
  calibrate?: string | undefined;
  calibrationTokens: number;
  fitPasses: number;
  count: number;
  set?: string[];
}

export interface QuantizeOutcome {
  out: string;
  /** For people. */
  format: string;
  bytesBefore: number;
  bytes: number;
  calibration: { data: string; tokens: number; fitPasses: number } | null;
}

/** @throws UserError as `quantiseModel`, and where the text cannot be read */
export async function runQuantize(
  cli: Cli,
  model: string,
  settings: ModelQuantisation,
  options: QuantizeOptions,
): Promise<QuantizeOutcome> {
  const { out, calibrate, fitPasses, threads, quiet = false } = options;
  await assertFree(out);
  await prepareEngine({ device: 'cpu', threads });
  const folder = await modelFolder(model, sayer(cli, options));
  const terminal = { stream: cli.stderr, quiet };
  if (calibrate !== undefined) assertQuantisingFits({ name: model, folder }, settings, fitPasses > 0);
  const counter = tally('calibrating', terminal);
  let isFitting = false;
  const onProgress = (tokens: number): void => {
    if (!isFitting) counter.update(`${tokens.toLocaleString('en-US')} tokens of this pass`);
  };
  const text = calibrate === undefined ? null : await textOf(cli, folder, onProgress, { ...options, data: calibrate });
  const fit: Fit = (...args) => {
    isFitting = true;
    return fitter(lossLine(terminal))(...args);
  };
  const { from, to } = await quantiseModel(folder, out, settings, {
    onProgress: loadingLine(terminal),
    calibration: text?.calibration,
    fit: { passes: fitPasses, run: fit },
  });
  const calibration = text && { data: calibrate!, tokens: text.tokens, fitPasses };
  return { out, format: quantisationName(settings), bytesBefore: from, bytes: to, calibration };
}

function lossLine(terminal: TerminalOptions): OnFit {
  const counter = tally('fitting', terminal);
  return ({ step, steps, loss }) => {
    const words = `step ${step} of ${steps}, divergence ${loss.toFixed(4)} nats`;
    if (step < steps) counter.update(words);
    else counter.done(words);
  };
}

async function textOf(
  cli: Cli,
  folder: string,
  onProgress: (tokens: number) => void,
  options: QuantizeOptions & { data: string },
): Promise<CalibrationText> {
  return calibrationText(heldOutOf(options), folder, await Tokenizer.load(folder), {
    tokens: options.calibrationTokens,
    onMessage: sayer(cli, options),
    onProgress,
  });
}
