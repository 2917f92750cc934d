/** `--weights`, of the commands that only read a model. */
import { Option } from '@commander-js/extra-typings';
import { WEIGHT_FORMATS } from '../base/dtypes.js';

export function weightsOption() {
  return new Option(
    '--weights <format>',
    'numbers in which matrices are held, on the CPU: int8 and int4 are made while loading (default: as stored)',
  ).choices(WEIGHT_FORMATS);
}
