/** What a study holds equal and what it varies, in sentences for its reader. */
import { settingsNote } from './method-settings.js';
import { type Row, rowOf, type StudyResult } from './result.js';
import { PARTS_TAKEN_AWAY } from './variants.js';

export interface Fact {
  what: string;
  text: string;
}

export const REGIMES = {
  a: 'endless generated data',
  b: 'a finite generated corpus',
  c: 'real text',
  d: 'a domain new to the base',
} as const;

/** Base, data and what is held equal. */
export function facts(result: StudyResult): Fact[] {
  const { study, parameters, documents, tokens, resamples } = result;
  const { base, training, seeds, tuning } = study;
  const count = (value: number): string => value.toLocaleString('en-US');
  const perBatch = training.batch.rows * training.batch.sequenceLength;
  const wasTuned = result.tuning.some(({ trials }) => trials.length > 0);
  const tuned = tuning.seeds.length === 1 ? 'a seed' : 'seeds';
  const note = settingsNote(study.arms);
  return [
    { what: 'Data', text: `Regime (${study.regime}), ${REGIMES[study.regime]}. ${study.about}` },
    { what: 'Model', text: `${count(parameters)} weights, ${result.loops} loops; ${baseInWords(base)}.` },
    {
      what: 'Held equal',
      text: `All arms of a seed start from its base. They read the same batches of ${count(perBatch)} tokens in the same order.`,
    },
    {
      what: 'Judged on',
      text: `${count(tokens)} tokens in ${count(documents)} held-out documents, the same for all seeds. ${seeds.length === 1 ? 'One seed' : `Means of ${seeds.length} seeds`}; in brackets 95 % intervals of a paired bootstrap (${resamples} resamples of seeds and of documents).`,
    },
    ...(note ? [{ what: 'LoopRPT here', text: note }] : []),
    {
      what: 'Tuning',
      text: wasTuned
        ? `On a split of its own with ${tuned} of its own, ${tuning.trials} ${tuning.trials === 1 ? 'trial' : 'trials'} an arm.`
        : 'None: every arm has the middle one of its settings.',
    },
    ...(study.equalTokensOnly?.length
      ? [{ what: 'Limits', text: `Compared for equal tokens alone: ${forTokensAlone(study).join(', ')}.` }]
      : []),
    {
      what: 'Cost',
      text: `Training takes about ${count(Math.ceil(cpuSeconds(result) / 60))} minutes of one core in all.`,
    },
  ];
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
  if ('shipped' in base) return `all seeds start from the committed base ${base.shipped}`;
  const whose = base.perSeed ? 'each seed has a base of its own' : 'all seeds share a base';
  return `${whose}, ${base.steps.toLocaleString('en-US')} steps of stage I`;
}
