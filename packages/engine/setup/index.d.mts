/**
 * `@looprpt/engine/setup`: finds libtorch and a compiler, installs them where that is possible, compiles the addon.
 * It works before any npm package is compiled, so the modules are plain JavaScript and these are their types.
 */

/** A libtorch that the addon can be compiled against. Paths are absolute. */
export interface Libtorch {
  /** The prefix or the `torch` package's folder. */
  root: string;
  /** As its headers give it, `2.11.0`. */
  version: string;
  major: number;
  minor: number;
  includeDirs: string[];
  libDir: string;
  /** Names for the linker, without `lib`: torch, torch_cpu, c10, and torch_cuda, c10_cuda where they exist. */
  libs: string[];
  cuda: boolean;
  /** What it can do between processes; for NCCL the folders of the headers that it needs, null without them. */
  distributed: { gloo: boolean; nccl: string[] | null };
  /** `_GLIBCXX_USE_CXX11_ABI` that it was compiled with. */
  cxx11Abi: 0 | 1;
  how: 'LIBTORCH' | 'python3' | 'system';
  /** The interpreter that imports it, when `how` is `python3`. */
  python?: string;
  /** Changes when the library's file does (size and time of modification). */
  stamp: string;
}

export interface Compiler {
  /** Program and leading arguments, `['ccache', 'g++']`. */
  command: string[];
  /** First line of `--version`. */
  version: string;
}

/** `build/engine.json`: written last, so that an addon it names is whole. */
export interface EngineBuild {
  /** Path of the addon, relative to the package's folder; to the file's own where LOOPRPT_ENGINE_BUILD names it. */
  addon: string;
  libtorch: Libtorch;
  compiler: Compiler;
  flags: string[];
  /** Instructions that the compiler may have used, by the words of /proc/cpuinfo; none where they are not known. */
  instructions: string[];
  /** ISO 8601. */
  builtAt: string;
  /** Hash of all that went into the addon. */
  key: string;
}

/** `reference`: the slow BLAS that Debian falls back on; `unknown`: none found at the place where it would be. */
export type Blas = 'optimised' | 'reference' | 'unknown';

/** How OpenBLAS is run on this processor. */
export interface BlasFit {
  /**
   * `fits`: by its own choice. `yours`: as the user's OPENBLAS_CORETYPE has it, products checked. `chosen`: by ours. `old`: on old
   * kernels, since no faster ones compute rightly. `wrong`: it does not compute rightly at all. `untouched`: it is no OpenBLAS that
   * chooses, or it could not be asked.
   */
  verdict: 'fits' | 'yours' | 'chosen' | 'old' | 'wrong' | 'untouched';
  /** By the library's own word, after the choice. */
  core: string | null;
  /** To be put into OPENBLAS_CORETYPE before the library is loaded. */
  setting: string | null;
  /** Of a float32 product in one thread. */
  gflops: number;
  /** What it does by itself, where another core was chosen; 0 GFLOP/s where that is wrong. */
  before: { core: string | null; gflops: number } | null;
}

export interface EngineReport {
  libtorch: Libtorch | null;
  /** Libtorchs that were seen and why each was passed over; of those that would serve too, how to take them. */
  notes: string[];
  compiler: Compiler | null;
  blas: Blas;
  /** What set-up found out about the BLAS on this processor; null before it, or after a change. */
  blasFit: BlasFit | null;
  /** `stale`: compiled from other sources, flags or another libtorch than those found now. */
  addon: 'ready' | 'stale' | 'missing';
  build: EngineBuild | null;
  /** What is missing, and the command that mends it. */
  mend: { what: string; command: string }[];
}

export interface SetupOptions {
  /** Install without asking, even when a person sits at the terminal. */
  yes?: boolean;
  /** No progress on stderr. */
  quiet?: boolean;
}

/** A message for the user; `exitCode` is what a command line should end with. */
export class SetupError extends Error {
  exitCode: 1 | 2;
  constructor(message: string, exitCode?: 1 | 2);
}

/**
 * The libtorch to use, or null. Order: the environment's `LIBTORCH`; a PyTorch >= 2.0 that `python3` imports; the
 * system's.
 * @throws SetupError when `LIBTORCH` is set and is not a usable libtorch
 */
export function findLibtorch(): Libtorch | null;

/** A program for `fitBlas`: the products of the PyTorch that this Python imports. */
export function pythonProbe(python: string): string[];

/**
 * Asks the BLAS behind a program for its core, checks and times its products, and looks for a core that fits the processor better
 * and computes rightly. To be run with `fit.setting` as OPENBLAS_CORETYPE, where it is not null.
 * @param probe prints `{"right": boolean, "gflops": number}`
 */
export function fitBlasOf(probe: string[], env?: NodeJS.ProcessEnv): Promise<BlasFit>;

/** What to tell the user about it in one line; null where all is well. */
export function blasLine(fit: BlasFit): string | null;

/** Brings the addon up to date and says where it is; quick when there is nothing to do. @throws SetupError */
export function setupEngine(options?: SetupOptions): Promise<EngineBuild>;

/** What is there and what is not, settings of no use among it; changes nothing. */
export function inspectEngine(): EngineReport;
