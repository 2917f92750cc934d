/**
 * A finding confirmed or not: the contenders of a study once more, with seeds that no choice was ever made on, compute in measured CPU
 * seconds, and what a study of its own changes besides (held-out documents, learning rates).
 */
import { type Study, type StudyInput, study } from '../study.js';

/** Every baseline, the method, the preset, and what of the preset plain training can have too. */
const CONTENDERS = ['base', 'stage1', 'uniform-ce', 'hard-ce', 'gate', 'looprpt', 'tethered', 'stage1-blended'];

export function confirmationOf(
  tested: Study,
  changes: Pick<StudyInput, 'name' | 'title' | 'about' | 'tuning'> & Partial<StudyInput>,
): Study {
  return study({
    ...tested,
    arms: tested.arms.filter(({ name }) => CONTENDERS.includes(name)),
    computeBy: 'cpu',
    confirms: [tested.name],
    seeds: [6, 7, 8, 9, 10],
    ...changes,
  });
}
