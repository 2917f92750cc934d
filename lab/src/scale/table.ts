/** The table of docs/design/scale.md: memory of a GPU and expected speed, from the code's own accounting (train/plan/). */
import { planRun } from 'looprpt/internal/train/plan/plan.js';
import { MODELS, OBJECTIVES, recipe } from './cases.js';
import { H100_NODE, type Machine, stepTime } from './machine.js';

const RANKS = [1, 8, 64] as const;

/** A GPU cannot use the last of its memory: the context of CUDA, libraries, and what allocation loses. */
const USABLE = 0.94;

export function scaleTable(machine: Machine = H100_NODE): string {
  const head = ['model', 'objective', 'loops', ...RANKS.map((ranks) => `${ranks} GPU${ranks > 1 ? 's' : ''}`)];
  const rows = MODELS.flatMap((model) =>
    OBJECTIVES.flatMap(({ name, objective }) =>
      [false, true].flatMap((recomputeLoops) =>
        [false, true].map((zero) => {
          const config = recipe(objective, { zero, recomputeLoops });
          const cells = RANKS.map((ranks) => {
            // Alone there is nothing to divide.
            if (zero && ranks === 1) return '';
            const plan = planRun({ config, model: model.config, ranks });
            const { tokensPerSecond } = stepTime(plan, config, ranks, machine);
            const gigabytes = `${(plan.memory.total / 1e9).toFixed(0)} GB`;
            if (plan.memory.total > USABLE * machine.memory) return `${gigabytes}, too large`;
            return `${gigabytes}, ${thousands(tokensPerSecond)} tokens/s`;
          });
          const spread = zero ? 'ZeRO-1' : 'whole';
          return [model.name, name, `${recomputeLoops ? 'run again' : 'kept'}, ${spread}`, ...cells];
        }),
      ),
    ),
  );
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i < 3 ? '---' : '--:'))), ...rows.map(line)].join('\n');
}

/** To two digits: more would say that it was measured. */
function thousands(value: number): string {
  const digits = Number(value.toPrecision(2));
  return digits.toLocaleString('en-US');
}
