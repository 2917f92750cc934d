/** Where a model works at an exit threshold: the point of its evaluation that is nearest to it. Pure. */
import type { AdaptiveScore, Breakdown } from '../../../eval/result.js';

/** Null where nothing was evaluated. */
export function operatingPoint({ adaptive }: Pick<Breakdown, 'adaptive'>, threshold: number): AdaptiveScore | null {
  const away = ({ tau }: AdaptiveScore): number => Math.abs(tau - threshold);
  return adaptive.reduce<AdaptiveScore | null>((best, one) => (best && away(best) <= away(one) ? best : one), null);
}

/** A difference and whether its interval is clear of zero, in words. */
export function verdict({
  low,
  high,
  reason,
}: {
  low: number | null;
  high: number | null;
  reason?: string | undefined;
}): string {
  if (low === null || high === null) return reason ?? 'no interval';
  return low > 0 || high < 0 ? 'clear of zero' : 'not clear of zero';
}
