#!/usr/bin/env node
/**
 * `npm run bench:cuda`: whole training steps of Ouro-1.4B's shape with random weights on a CUDA device, in bfloat16, beside PyTorch's.
 * A table first; the last line is one JSON object. docs/results/performance.md says how. `--device cpu` tries everything on a tiny model.
 */
import { Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { defaultThreads, prepareThreads } from 'looprpt/internal/base/threads.js';
import { integer } from 'looprpt/internal/cli/values.js';
import { CUDA_MODES, SHAPES } from './cuda/job.js';

function modes(text: string): string[] {
  const names = text.split(',');
  const unknown = names.find((name) => !CUDA_MODES.includes(name));
  if (unknown !== undefined) throw new InvalidArgumentError(`'${unknown}' is none of ${CUDA_MODES.join(', ')}.`);
  return names;
}

const options = new Command('bench:cuda')
  .description(
    "Times training steps of Ouro-1.4B's shape on a CUDA device against PyTorch's. About a quarter of an hour.",
  )
  .option('--device <name>', 'cuda, cuda:1, …; or cpu, with a tiny model', 'cuda')
  .option('--modes <names>', `of ${CUDA_MODES.join(', ')}`, modes, [...CUDA_MODES])
  .option('--rows <n>', 'of a batch (default: 4; cpu: 2)', integer(1))
  .option('--places <n>', 'of a row (default: 2048; cpu: 64)', integer(2))
  .option('--rounds <n>', 'processes of each side and mode', integer(1), 3)
  .option('--steps <n>', 'measured in each', integer(1), 5)
  .option('--warmup <n>', 'steps before them', integer(0), 2)
  .addOption(
    new Option('--recompute <when>', 'run loops again in the backward pass, on both sides')
      .choices(['auto', 'on', 'off'] as const)
      .default('auto' as const, 'where memory would be short'),
  )
  .option('--no-peer', 'leave PyTorch out')
  .option('--compile', "the peer's layers through torch.compile", false)
  .option('--python <path>', 'the Python for the peer (default: one that has PyTorch)')
  .option('--threads <n>', 'CPU threads of each side', integer(1), defaultThreads(process.env))
  .parse()
  .opts();

const { rows, places, device, ...rest } = options;
const cpu = device === 'cpu';
prepareThreads(process.env, options.threads);
const { cudaDevices } = await import('@looprpt/engine');
if (!cpu && cudaDevices() === 0) {
  process.stderr.write(
    'bench:cuda: there is no CUDA device that this libtorch can use; --device cpu tries a tiny model\n',
  );
  process.exitCode = 1;
} else {
  const { benchCuda } = await import('./cuda/run.js');
  const batch = { B: rows ?? (cpu ? 2 : 4), T: places ?? (cpu ? 64 : 2048) };
  const ok = await benchCuda({ ...rest, device, model: SHAPES[cpu ? 'tiny' : 'ouro-1.4b'], batch });
  process.exitCode = ok ? 0 : 1;
}
