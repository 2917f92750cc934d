/** All studies, in the order of the page. */
import type { Study } from '../study.js';
import { dtypeHop, dtypeMath } from './dtype.js';
import {
  hopEndless,
  hopEndlessConfirm,
  hopEndlessLarge,
  hopFinite,
  hopFiniteConfirm,
  hopFiniteLarge,
  hopSaturated,
  hopSaturatedPresets,
  hopShort,
} from './hop.js';
import { transferLeads, transferTextLeads } from './leads.js';
import { math, mathConfirm, mathLarge } from './math.js';
import { modes } from './modes.js';
import { transfer, transferLarge, transferMild, transferText } from './transfer.js';

export const STUDIES: readonly Study[] = [
  transfer,
  transferMild,
  transferText,
  transferLarge,
  hopShort,
  hopEndlessConfirm,
  hopFiniteConfirm,
  hopSaturated,
  hopSaturatedPresets,
  mathConfirm,
  hopEndless,
  hopFinite,
  math,
  hopEndlessLarge,
  hopFiniteLarge,
  mathLarge,
  modes,
  dtypeHop,
  dtypeMath,
  transferLeads,
  transferTextLeads,
];
