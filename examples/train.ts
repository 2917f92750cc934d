/**
 * LoopRPT on the base that comes with the package, then both judged on held-out documents.
 *
 *     node dist/train.js [STEPS] [RUN FOLDER]
 */
import { judge, presets, tasks, train } from 'looprpt';

const [steps = '300', out = 'runs/example'] = process.argv.slice(2);

// Multi-hop lookup, with the settings that hop-base was trained on; documents are made as they are read.
const hop = tasks.config('hop', { compact: true, joined: true, alphabet: 10 });

const run = await train(
  {
    ...presets.fast,
    model: { from: 'hop-base' },
    data: { task: hop, taskSeed: 1 },
    batch: { rows: 32, sequenceLength: 128, pack: 'whole' },
    // What the preset sets there stays only if it is spread in, too.
    optimizer: { ...presets.fast.optimizer, learningRate: 1e-3 },
    schedule: { kind: 'cosine', warmupSteps: 20 },
    steps: Number(steps),
    out,
  },
  {
    onStep: ({ step, loss, meanLoops }) => {
      if (step % 50 === 0) console.log(`step ${step}: loss ${loss.toFixed(3)}, ${meanLoops.toFixed(2)} loops`);
    },
  },
);

const judged = await judge(run.model, {
  data: { kind: 'task', config: hop, split: 'heldout', count: 100 },
  compareWith: 'hop-base',
});
for (const { tau, accuracy, meanLoops } of judged.adaptive)
  console.log(`τ ${tau}: ${(100 * accuracy).toFixed(1)} % of the answers, ${meanLoops.toFixed(2)} loops`);
const area = judged.comparisons?.find(({ metric }) => metric === 'area');
const points = (share: number | null | undefined): string => (100 * (share ?? Number.NaN)).toFixed(2);
if (area)
  console.log(`area − the base's, points: ${points(area.delta)}, 95 % ${points(area.low)} to ${points(area.high)}`);
