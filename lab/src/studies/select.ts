/** A part of a study, for a quick look: fewer seeds or arms, or everything small. */
import { UserError } from 'looprpt/internal/base/user-error.js';
import { type Study, studySchema } from './study.js';

export interface Selection {
  seeds?: number | undefined;
  /** Names; the base and the arm of equal compute are always in. */
  arms?: readonly string[] | undefined;
  quick: boolean;
}

/** @throws UserError for an arm that the study does not have */
export function select(study: Study, { seeds, arms, quick }: Selection): Study {
  const known = study.arms.map(({ name }) => name);
  const unknown = arms?.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new UserError(`--arms ${unknown}: ${study.name} has no such arm; it has ${known.join(', ')}`);
  const isHeldAgainst = (name: string): boolean =>
    study.arms.some(({ name: other, against }) => against === name && arms?.includes(other));
  const wanted = ({ name, role }: Study['arms'][number]): boolean =>
    !arms || role === 'base' || name === study.equalCompute || arms.includes(name) || isHeldAgainst(name);
  const kept = study.arms.filter(wanted);
  const isKept = (name: string): boolean => kept.some((arm) => arm.name === name);
  const part: Study = {
    ...study,
    arms: kept,
    ...(study.equalTokensOnly ? { equalTokensOnly: study.equalTokensOnly.filter(isKept) } : {}),
    seeds: seedsOf(study, seeds ?? (quick ? 2 : study.seeds.length)),
  };
  return studySchema.parse(quick ? quickened(part) : part);
}

/** The study's own seeds, then further ones. */
function seedsOf({ seeds, tuning }: Study, count: number): number[] {
  const taken = [...seeds, ...tuning.seeds];
  const further = Array.from({ length: count }, (_, i) => Math.max(...taken) + 1 + i);
  return [...seeds, ...further].slice(0, count);
}

/** Everything a twentieth: shows that the machine runs, and nothing about the methods. */
function quickened({ corpus, base, training, ...rest }: Study): Study {
  const few = (count: number): number => Math.max(2, Math.round(count / 20));
  const shorter = <R extends Study['training']>(recipe: R): R => ({
    ...recipe,
    steps: few(recipe.steps),
    schedule: { ...recipe.schedule, warmupSteps: few(recipe.schedule.warmupSteps) },
  });
  return {
    ...rest,
    corpus:
      corpus.kind === 'task'
        ? { ...corpus, heldOut: few(corpus.heldOut), tuning: few(corpus.tuning ?? corpus.heldOut) }
        : { ...corpus, heldOutBatches: few(corpus.heldOutBatches) },
    base: 'shipped' in base ? base : shorter(base),
    training: shorter(training),
  };
}
