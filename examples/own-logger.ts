/**
 * A logger of one's own: a function that is told everything that happens in a run. Here it writes a table of comma-separated
 * values; a client of a tracking service would stand in the same place.
 *
 *     node dist/own-logger.js [STEPS] [RUN FOLDER]
 */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Logger, tasks, train } from 'looprpt';

const [steps = '50', out = 'runs/own-logger'] = process.argv.slice(2);
const file = join(process.cwd(), 'metrics.csv');

const logger: Logger = (entry) => {
  switch (entry.kind) {
    case 'start':
      appendFileSync(file, `# ${entry.config.objective.kind}, ${entry.config.steps} steps\nstep,loss,meanLoops\n`);
      break;
    case 'step': {
      const { step, loss, meanLoops } = entry.record;
      appendFileSync(file, `${step},${loss},${meanLoops}\n`);
      break;
    }
    case 'message':
      console.error(entry.text);
      break;
    case 'checkpoint':
      break;
    case 'end':
      console.log(`${entry.outcome.step} steps in ${file}`);
  }
};

await train(
  {
    model: { from: 'hop-base' },
    data: { task: tasks.config('hop', { compact: true, joined: true, alphabet: 10 }) },
    objective: { kind: 'uniform-ce' },
    batch: { rows: 16, pack: 'whole' },
    steps: Number(steps),
    out,
  },
  { logger },
);
