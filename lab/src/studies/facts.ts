/** What a study holds equal and what it varies, in sentences for its reader. */
import { type Row, rowOf, type StudyResult } from './result.js';
import { PARTS_TAKEN_AWAY } from './variants.js';

/** Base, data and what is held equal, in sentences. */
export function facts(result: StudyResult): string {
  const { study, parameters, documents, tokens, resamples } = result;
  const { base, training, seeds, tuning } = study;
  const places = training.batch.rows * training.batch.sequenceLength;
  return [
    study.about,
    `Regime (${study.regime}). Model: ${parameters.toLocaleString('en-US')} weights, ${result.loops} loops; ${baseInWords(base)}.`,
    `All arms of a seed start from its base and read the same batches of ${places.toLocaleString('en-US')} places in the same order. Judged on ${tokens.toLocaleString('en-US')} tokens in ${documents.toLocaleString('en-US')} held-out documents, the same for all seeds.`,
    `${seeds.length === 1 ? 'One seed' : `Means of ${seeds.length} seeds`}; in brackets 95 % intervals of a paired bootstrap (${resamples} resamples of seeds and of documents).`,
    result.tuning.some(({ trials }) => trials.length > 0)
      ? `Settings were chosen on a split of its own with ${tuning.seeds.length === 1 ? 'a seed' : 'seeds'} of its own, ${tuning.trials} trials an arm.`
      : 'Nothing was tuned: every arm has the middle one of its settings.',
    ...(study.equalTokensOnly?.length ? [`Compared for equal tokens alone: ${forTokensAlone(study).join(', ')}.`] : []),
    `Training takes about ${Math.ceil(cpuSeconds(result) / 60).toLocaleString('en-US')} minutes of one core in all.`,
  ].join(' ');
}

/** The arms that the second half of a table is without: ablations together, the others by their titles. */
function forTokensAlone({ arms, equalTokensOnly }: StudyResult['study']): string[] {
  const names = arms
    .filter(({ name }) => equalTokensOnly?.includes(name))
    .map(({ name, title }) => (PARTS_TAKEN_AWAY.includes(name) ? 'ablations' : `“${title}”`));
  return [...new Set(names)];
}

/** Of the steps of all trials and arms, and of bases that do not ship; seeds that tune start from the same base or a shipped one. */
function cpuSeconds({ study, base, rows, tuning }: StudyResult): number {
  const { seeds } = study;
  const bases = 'shipped' in study.base ? 0 : base.seconds * (study.base.perSeed ? seeds.length : 1);
  const trialsOf = (arm: string): number => tuning.find((tuned) => tuned.arm === arm)?.trials.length ?? 0;
  const isTheSame = ({ arm, steps }: Row): boolean => rowOf({ rows }, arm, 'tokens')?.steps === steps;
  return rows.reduce((sum, row) => {
    const { arm, budget, seconds } = row;
    if (budget === 'tokens') return sum + seconds * (seeds.length + trialsOf(arm) * study.tuning.seeds.length);
    return isTheSame(row) ? sum : sum + seconds * seeds.length;
  }, bases);
}

function baseInWords(base: StudyResult['study']['base']): string {
  if ('shipped' in base) return `all seeds start from the base ${base.shipped} that ships`;
  const whose = base.perSeed ? 'each seed has a base of its own' : 'all seeds share a base';
  return `${whose}, ${base.steps.toLocaleString('en-US')} steps of stage I`;
}
