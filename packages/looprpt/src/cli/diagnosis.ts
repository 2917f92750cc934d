/** What `doctor` finds out about the machine and the engine. Works when the engine is not built. */
import { availableParallelism, cpus } from 'node:os';
import type { EngineReport } from '@looprpt/engine/setup';
import { bfloat16Instructions } from '../base/processor.js';
import { defaultThreads, physicalCores } from '../base/threads.js';
import { looprptVersion } from '../base/versions.js';

/** What only a loaded engine knows. */
export interface Runtime {
  /** As libtorch itself says. */
  version: string;
  threads: number;
  cudaDevices: number;
  /** Devices on which matrices of that format can be multiplied. */
  bfloat16: string[];
  float16: string[];
}

export interface Diagnosis {
  /** Whether commands that run a model can run. */
  ok: boolean;
  looprpt: string;
  node: string;
  platform: string;
  cpu: { model: string; usable: number; physicalCores: number | null };
  threads: number;
  libtorch: { version: string; path: string; how: string; python?: string; cuda: boolean } | null;
  addon: { state: EngineReport['addon']; path: string | null; builtAt: string | null };
  compiler: string | null;
  blas: EngineReport['blas'];
  blasFit: EngineReport['blasFit'];
  runtime: Runtime | null;
  /** Backends for training on several processes. */
  distributed: { available: boolean; note: string };
  /** libtorchs that were seen and passed over. */
  notes: string[];
  missing: { what: string; command: string }[];
}

function distributedOf(libtorch: EngineReport['libtorch']): Diagnosis['distributed'] {
  if (!libtorch?.distributed.gloo)
    return { available: false, note: 'this libtorch has no distributed part (c10d with Gloo): one process only' };
  if (libtorch.distributed.nccl) return { available: true, note: 'gloo on the CPU, nccl on CUDA' };
  const nccl = libtorch.cuda
    ? "; for nccl the headers of NCCL and CUDA are missing: in libtorch's Python `pip install nvidia-cuda-crt nvidia-cuda-cccl` (of CUDA's version), or set CUDA_HOME, then `npx looprpt setup`"
    : '';
  return { available: true, note: `gloo on the CPU${nccl}` };
}

/** @param threads what `--threads` asks for */
export async function diagnose(threads: number | undefined): Promise<Diagnosis> {
  const { inspectEngine } = await import('@looprpt/engine/setup');
  const report = inspectEngine();
  if (report.build === null) return describe(report, threads, null);
  try {
    return describe(report, threads, await runtime(threads));
  } catch (error) {
    if (!isLoadFailure(error) && report.addon === 'ready') throw error;
    // An addon for another libtorch may not load any more; then `mend` says what to do already.
    const message = error instanceof Error ? error.message : String(error);
    const command = 'install what it names, or delete its build folder, then `npx looprpt setup`';
    const mend = report.addon === 'ready' ? [{ what: `the addon does not load: ${message}`, command }] : [];
    return describe({ ...report, mend: [...report.mend, ...mend] }, threads, null);
  }
}

function isLoadFailure(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === 'ERR_DLOPEN_FAILED';
}

export function describe(report: EngineReport, threads: number | undefined, running: Runtime | null): Diagnosis {
  const { libtorch, addon, build, compiler, blas, blasFit, notes, mend } = report;
  return {
    ok: addon === 'ready' && running !== null,
    looprpt: looprptVersion(),
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    cpu: {
      model: cpus()[0]?.model.trim() ?? 'unknown',
      usable: availableParallelism(),
      physicalCores: physicalCores(),
    },
    threads: running?.threads ?? threads ?? defaultThreads(process.env),
    libtorch: libtorch && {
      version: libtorch.version,
      path: libtorch.root,
      how: libtorch.how,
      ...(libtorch.python === undefined ? {} : { python: libtorch.python }),
      cuda: libtorch.cuda,
    },
    addon: { state: addon, path: build?.addon ?? null, builtAt: build?.builtAt ?? null },
    compiler: compiler?.version ?? null,
    blas,
    blasFit,
    runtime: running,
    distributed: distributedOf(libtorch),
    notes,
    missing: mend,
  };
}

async function runtime(threads: number | undefined): Promise<Runtime> {
  const engine = await import('@looprpt/engine');
  const { usableDType } = await import('../model/usable-dtype.js');
  engine.setThreads(threads ?? defaultThreads(process.env));
  const cudaDevices = engine.cudaDevices();
  const devices = ['cpu', ...(cudaDevices > 0 ? ['cuda'] : [])];
  const running = (dtype: 'bfloat16' | 'float16'): string[] =>
    devices.filter((device) => usableDType(dtype, device) === dtype);
  return {
    version: engine.libtorchVersion(),
    threads: engine.getThreads(),
    cudaDevices,
    bfloat16: running('bfloat16'),
    float16: running('float16'),
  };
}

export function doctorFacts(diagnosis: Diagnosis): [string, string][] {
  const { cpu, libtorch, addon, runtime, missing } = diagnosis;
  const how = { LIBTORCH: 'by LIBTORCH', python3: 'in Python', system: "the system's" };
  const found = libtorch
    ? `${libtorch.version} at ${libtorch.path} (${how[libtorch.how as keyof typeof how] ?? libtorch.how}${libtorch.python ? ` of ${libtorch.python}` : ''})`
    : 'not found';
  return [
    ['looprpt', diagnosis.looprpt],
    ['node', `${diagnosis.node} on ${diagnosis.platform}`],
    [
      'cpu',
      `${cpu.model}, ${cpu.usable} usable${cpu.physicalCores === null ? '' : `, ${cpu.physicalCores} physical cores`}`,
    ],
    ['threads', `${diagnosis.threads}`],
    ['libtorch', found],
    ['addon', addon.state === 'ready' ? `ready (${addon.path})` : addon.state],
    ['compiler', diagnosis.compiler ?? 'not found'],
    ['BLAS', blasFact(diagnosis)],
    ['CUDA', cudaFact(diagnosis)],
    ['bfloat16', runtime ? devicesFact(runtime.bfloat16) : 'unknown until the engine is built'],
    ['dtype auto', autoFact()],
    ['float16', runtime ? devicesFact(runtime.float16) : 'unknown until the engine is built'],
    ['distributed', diagnosis.distributed.note],
    ...diagnosis.notes.map((note): [string, string] => ['passed over', note]),
    ...missing.map(({ what, command }): [string, string] => ['missing', `${what}: ${command}`]),
    ['verdict', diagnosis.ok ? 'ready' : 'not ready: run `npx looprpt setup`'],
  ];
}

/** What training's `dtype: auto` can become here. */
function autoFact(): string {
  const instructions = bfloat16Instructions();
  if (instructions === null)
    return 'bfloat16 where a few measured steps say that it pays; this system does not name its instructions';
  if (instructions.length === 0) return 'float32: the processor has no products in bfloat16';
  return `bfloat16 (${instructions.join(', ')}) where a few measured steps say that it pays, else float32`;
}

function blasFact({ blas, blasFit }: Diagnosis): string {
  const kind = {
    optimised: 'optimised',
    reference: 'the slow reference BLAS: products take many times longer',
    unknown: 'unknown (part of this libtorch)',
  }[blas];
  if (blasFit === null) return kind;
  const why = {
    fits: '',
    wrong: '',
    untouched: '',
    yours: ': as OPENBLAS_CORETYPE has it',
    chosen: `: chosen by set-up, since OpenBLAS takes this processor for ${blasFit.before?.core}`,
    old: ': old kernels; a newer OpenBLAS is faster',
  }[blasFit.verdict];
  return `${kind}, OpenBLAS as ${blasFit.core}, ${blasFit.gflops.toFixed(0)} GFLOP/s a thread${why}`;
}

function cudaFact({ libtorch, runtime }: Diagnosis): string {
  if (runtime === null) return 'unknown until the engine is built';
  if (runtime.cudaDevices > 0) return `${runtime.cudaDevices} ${runtime.cudaDevices === 1 ? 'device' : 'devices'}`;
  return libtorch?.cuda ? 'this libtorch has CUDA, and finds no device' : 'this libtorch has no CUDA';
}

function devicesFact(devices: readonly string[]): string {
  return devices.length > 0 ? `on ${devices.join(' and ')}` : 'no products in it here; such models are run in float32';
}
