/**
 * One dtype for all ranks of a run. Rank 0's holds: what its recipe says, or what it measures where that says `auto`. A rank that cannot
 * gain by bfloat16 makes it float32 for all. A rank whose own recipe names another dtype keeps it, and is refused as any that differs
 * (same-run.ts).
 */
import type { ModelDType } from '../../base/dtypes.js';
import type { Peers } from '../../objectives/peers.js';
import { bfloat16Obstacle, chooseDType, type DTypeChoice, type DTypeQuestion } from '../auto-dtype.js';

export interface AgreedDType {
  dtype: ModelDType;
  /** In words, for people; null where the recipe says so. */
  why: string | null;
}

/** What decides on one machine; others in tests. */
export interface Judgement {
  choose: (question: DTypeQuestion) => DTypeChoice;
  obstacle: (device: string) => string | null;
}

const MEASURED: Judgement = { choose: chooseDType, obstacle: bfloat16Obstacle };

/**
 * All ranks call it together.
 * @param own what this rank's recipe says; null: `auto`
 */
export function agreedDType(
  peers: Peers,
  own: ModelDType | null,
  question: DTypeQuestion,
  { choose, obstacle }: Judgement = MEASURED,
): AgreedDType {
  const isOpen = own === null;
  const said = peers.exchange({
    own,
    choice: isOpen && peers.rank === 0 ? choose(question) : null,
    obstacle: isOpen ? obstacle(question.device) : null,
  });
  if (!isOpen) return { dtype: own, why: null };
  const [{ own: asked, choice }] = said as [(typeof said)[number], ...typeof said];
  if (choice === null) return { dtype: asked!, why: 'as on rank 0' };
  const unable = said.findIndex((one) => one.obstacle !== null);
  if (choice.dtype === 'bfloat16' && unable > 0)
    return { dtype: 'float32', why: `on rank ${unable}, ${said[unable]!.obstacle}` };
  return { dtype: choice.dtype, why: `${choice.why}, on rank 0, for all ${peers.size}` };
}
