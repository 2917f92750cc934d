/**
 * Metrics in trackio, through its official client: a Python process beside the run is told each step's numbers, a line each. Any client of
 * a tracking service stands in the same place. Needs `pip install trackio`; PYTHON names another interpreter than python3.
 *
 *     node dist/trackio.js [STEPS] [RUN FOLDER]
 *     trackio show --project looprpt
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { tasks, train } from 'looprpt';

const CLIENT = `
import json, sys, trackio
trackio.init(project="looprpt", name=sys.argv[1])
for line in sys.stdin:
    step, metrics = json.loads(line)
    trackio.log(metrics, step=step)
trackio.finish()
`;

const [steps = '50', out = 'runs/trackio'] = process.argv.slice(2);
const python = process.env.PYTHON ?? 'python3';

if (spawnSync(python, ['-c', 'import trackio'], { stdio: 'ignore' }).status === 0) {
  const client = spawn(python, ['-c', CLIENT, out], { stdio: ['pipe', 'ignore', 'inherit'] });
  const ended = once(client, 'exit');
  const { step } = await train(
    {
      model: { from: 'hop-base' },
      data: { task: tasks.config('hop', { compact: true, joined: true, alphabet: 10 }) },
      objective: { kind: 'uniform-ce' },
      batch: { rows: 16, pack: 'whole' },
      steps: Number(steps),
      out,
    },
    { onMetrics: (metrics, at) => client.stdin.write(`${JSON.stringify([at, metrics])}\n`) },
  );
  client.stdin.end();
  const [code] = (await ended) as [number | null];
  if (code !== 0) throw new Error(`trackio's client ended with ${code}`);
  console.log(`${step} steps in trackio's project looprpt`);
} else {
  console.log('trackio is not installed: pip install trackio');
}
