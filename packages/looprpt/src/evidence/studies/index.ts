/** All studies, in the order of the page. */
import type { Study } from '../study.js';
import { hopEndless, hopEndlessLarge, hopFinite, hopFiniteLarge, hopSaturated, hopShort } from './hop.js';
import { math, mathLarge } from './math.js';
import { modes } from './modes.js';

export const STUDIES: readonly Study[] = [
  hopShort,
  hopEndless,
  hopFinite,
  hopSaturated,
  math,
  hopEndlessLarge,
  hopFiniteLarge,
  mathLarge,
  modes,
];
