/**
 * A loss of one's own: the cross-entropy expected under the exit pdf, and a price for every loop.
 *
 *   L = mean_n [ Σ_k π(k) CE^(k) + λ Σ_k k π(k) ]
 *
 * Shapes: K loops, N counted places of the batch.
 *
 *     node dist/own-objective.js [STEPS] [RUN FOLDER]
 */
import { arange } from '@looprpt/engine';
import { exitLogPdf, gateLogitsByLoop, type LossFunction, targetLogProbsByLoop, tasks, train } from 'looprpt';

const [steps = '100', out = 'runs/own-objective'] = process.argv.slice(2);
const PRICE = 0.05;

const loss: LossFunction = ({ student, batch }) => {
  const statesK = student.states(batch);
  const logProbKN = targetLogProbsByLoop(student, statesK, batch.countedN, batch.targetsN);
  const pdfKN = exitLogPdf(gateLogitsByLoop(student, statesK, batch.countedN, false)).exp();
  const loopsK = arange(1, student.config.loops + 1, { dtype: 'float32', device: student.device });
  const crossEntropy = pdfKN.mul(logProbKN).sum(0).neg().mean();
  const meanLoops = pdfKN.mul(loopsK.unsqueeze(1)).sum(0).mean();
  return { loss: crossEntropy.add(meanLoops.mul(PRICE)), parts: { crossEntropy, meanLoops }, exitPdfKN: pdfKN };
};

const run = await train(
  {
    model: { from: 'hop-base' },
    data: { task: tasks.config('hop', { compact: true, joined: true, alphabet: 10 }) },
    batch: { rows: 32, pack: 'whole' },
    steps: Number(steps),
    out,
  },
  {
    objective: { loss, name: 'priced-loops' },
    onStep: ({ step, parts, meanLoops }) => {
      if (step % 20 === 0)
        console.log(`step ${step}: CE ${parts.crossEntropy!.toFixed(3)}, ${meanLoops.toFixed(2)} loops`);
    },
  },
);
console.log(`trained to step ${run.step}: ${run.model}`);
