/**
 * What the figures of accuracy against compute share: the curves of models as data, how each exit rule is drawn, the axis of mean
 * loops. Nothing here draws.
 */

import type { CurveRule } from '../../result.js';
import type { BreakdownSummary, Curve, CurvePoint, ModelSummary } from '../summary.js';
import type { PanelOptions } from './canvas.js';
import type { Series } from './figure.js';
import { color } from './palette.js';

export interface ParetoModel {
  name: string;
  loops: number;
  curves: Curve[];
  /** Loop k for every token. */
  static: CurvePoint[];
}

export interface ParetoPanel {
  title: string;
  tokens: number;
  models: ParetoModel[];
}

/** A model as the figures of this file need it; `series` and `models` are in the same order. */
export interface Evaluated {
  series: Series[];
  models: ModelSummary[];
}

export const RULE_STYLE: Record<
  Exclude<CurveRule, 'static'>,
  { label: string; stroke: string; dash?: string; width: number }
> = {
  gate: { label: 'exit gate', stroke: color('series-1'), width: 2.4 },
  'hidden-change': { label: 'change of hidden state', stroke: color('series-2'), dash: '7 3', width: 1.5 },
  confidence: { label: 'confidence', stroke: color('series-3'), dash: '2 2.5', width: 1.5 },
  entropy: { label: 'entropy', stroke: color('series-4'), dash: '8 3 2 3', width: 1.5 },
  oracle: { label: 'oracle', stroke: color('ink-muted'), dash: '1 4', width: 1.5 },
};

export function panelData(
  title: string,
  models: ModelSummary[],
  pick: (model: ModelSummary) => BreakdownSummary,
): ParetoPanel {
  return {
    title: title.charAt(0).toUpperCase() + title.slice(1),
    tokens: Math.max(0, ...models.map((model) => pick(model).tokens)),
    models: models.map((model) => {
      const part = pick(model);
      return {
        name: model.name,
        loops: model.loops,
        curves: part.curves,
        static: part.perLoop.map(({ loop, accuracy }) => ({
          setting: loop,
          meanLoops: loop,
          accuracy,
          ...(model.flops && { flopsPerToken: loop * model.flops.perLoop + model.flops.head }),
        })),
      };
    }),
  };
}

export function loopAxis(models: ParetoModel[]): PanelOptions['x'] {
  const loops = Math.max(1, ...models.map((model) => model.loops));
  const ticks = Array.from({ length: loops }, (_, index) => index + 1);
  return { label: 'Mean loops per token', domain: [1, Math.max(2, loops)], inset: 8, ticks, tickFormat: 'd' };
}
