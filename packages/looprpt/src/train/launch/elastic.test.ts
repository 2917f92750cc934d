/** Training under the launcher: a rank is killed, all start again from the newest checkpoint, and the end is what it would have been. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { distributedBackends } from '@looprpt/engine';
import { expect, it } from 'vitest';
import { spawnCli, TINY_RUN, tinyProject } from '../../../test-support/run-cli.js';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';

const STEPS = 80;
const PROGRAM = fileURLToPath(new URL('../../../bin/looprpt.js', import.meta.url));

/** A shell script that kills process $1 when file $2 is there. */
const KILL_WHEN = 'while [ ! -e "$2" ]; do sleep 0.02; done; kill -9 "$1"';

/** Runs looprpt in its own process; rank 1 of the first start is killed when the run has a checkpoint of step 20. */
const RANK = `
  import { spawn } from 'node:child_process';
  const { RANK, TORCHELASTIC_RESTART_COUNT: restart } = process.env;
  if (RANK === '1' && restart === '0')
    spawn('sh', ['-c', ${JSON.stringify(KILL_WHEN)}, 'sh', String(process.pid), 'runs/killed/checkpoints/step-20'], { stdio: 'ignore' }).unref();
  process.argv = [process.argv[0], 'looprpt', 'pretrain', '--config', 'run.json', '--out', 'runs/killed', '--quiet'];
  await import(${JSON.stringify(PROGRAM)});`;

it.skipIf(!distributedBackends().includes('gloo'))(
  'ends as without the failure, bit for bit (skipped where libtorch has no Gloo)',
  async () => {
    const folder = temporaryFolder().path;
    await tinyProject(folder);
    const config = {
      ...TINY_RUN,
      steps: STEPS,
      checkpoint: { every: 10 },
      distributed: { zero: true, silenceSeconds: 2, timeLimitSeconds: 60 },
    };
    writeFileSync(join(folder, 'run.json'), JSON.stringify(config));
    writeFileSync(join(folder, 'rank.mjs'), RANK);
    const launch = ['launch', '--nproc', '2', '--grace', '10', '--max-restarts', '1', '--'];

    const whole = await spawnCli(
      [...launch, 'pretrain', '--config', 'run.json', '--out', 'runs/whole', '--quiet'],
      folder,
    ).ended;
    expect(whole.code, whole.stderr).toBe(0);
    const killed = await spawnCli([...launch, process.execPath, 'rank.mjs'], folder).ended;
    expect(killed.code, killed.stderr).toBe(0);
    expect(killed.stderr).toMatch(/launch: rank \d .*\n(.*\n)*launch: starting all 2 ranks again \(1 of 1\)/);

    const read = (run: string, name: string): Buffer => readFileSync(join(folder, 'runs', run, name));
    for (const name of ['model.safetensors', 'trainer.safetensors'])
      expect(
        read('killed', `checkpoints/step-${STEPS}/${name}`).equals(read('whole', `checkpoints/step-${STEPS}/${name}`)),
      ).toBe(true);
    const losses = (run: string): [number, number][] =>
      read(run, 'metrics.jsonl')
        .toString()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { step: number; loss: number })
        .map(({ step, loss }) => [step, loss]);
    expect(losses('killed')).toEqual(losses('whole'));
    expect(losses('whole').map(([step]) => step)).toEqual(Array.from({ length: STEPS }, (_, i) => i + 1));
  },
);
