/**
 * The compiled addon: where it is, how it is loaded, and the types of what it exports.
 *
 * This is the only module that touches the addon file. `engine.json`, written by the set-up, names the addon and the
 * libtorch that it was built against. Importing this module loads libtorch (some hundred milliseconds).
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** Index of a native tensor; 0 is none. */
export type Handle = number;

/** One argument as the addon takes it: tensors are handles, dtypes and devices are strings. */
export type NativeArgument =
  | Handle
  | boolean
  | string
  | bigint
  | null
  | undefined
  | readonly (number | boolean | string | null)[];

/** Per result: a tensor, a list of tensors, another value, or the index of the argument that was changed in place. */
export type ReturnKind = 't' | 'l' | 'v' | number;

export interface OperatorDescription {
  schema: string;
  arguments: string[];
  returns: ReturnKind[];
}

export interface NativeEngine {
  resolve(name: string, overload: string): number;
  describe(id: number): OperatorDescription;
  call(id: number, ...args: NativeArgument[]): unknown;
  operatorNames(): string[];

  fromBytes(bytes: NodeJS.TypedArray, dtype: string, sizes: readonly number[]): Handle;
  readBytes(tensor: Handle, into: NodeJS.TypedArray): void;
  writeBytes(tensor: Handle, from: NodeJS.TypedArray): void;
  viewBytes(tensor: Handle): ArrayBuffer;
  sizes(tensor: Handle): number[];
  dtype(tensor: Handle): string;
  device(tensor: Handle): string;
  isContiguous(tensor: Handle): boolean;
  storageBytes(tensor: Handle): number;
  item(tensor: Handle): number;
  release(tensor: Handle): void;
  alias(tensor: Handle): Handle;
  liveTensors(): number;

  mapFile(path: string): number;
  mappedBytes(mapping: number): ArrayBuffer;
  mappedTensor(mapping: number, byteOffset: number, dtype: string, sizes: readonly number[]): Handle;
  unmapFile(mapping: number): void;

  backward(roots: Handle[], gradients: Handle[], retainGraph: boolean, createGraph: boolean): void;
  grad(
    outputs: Handle[],
    inputs: Handle[],
    gradients: Handle[],
    retainGraph: boolean,
    createGraph: boolean,
    allowUnused: boolean,
  ): (Handle | null)[];
  setGradEnabled(on: boolean): boolean;
  isGradEnabled(): boolean;
  enterInference(): void;
  leaveInference(): void;
  requiresGrad(tensor: Handle): boolean;
  setRequiresGrad(tensor: Handle, on: boolean): void;
  isLeaf(tensor: Handle): boolean;
  gradientOf(tensor: Handle): Handle | null;
  setGradient(tensor: Handle, gradient: Handle): void;

  newGenerator(device: string, seed: number): number;
  generatorState(generator: number): Handle;
  setGeneratorState(generator: number, state: Handle): void;
  releaseGenerator(generator: number): void;

  setThreads(n: number): void;
  threads(): number;
  keepFreedMemory(): void;
  flushDenormals(on: boolean): boolean;
  version(): string;
  cudaDevices(): number;
  synchronize(device: string): void;
  adjustExternalMemory(bytes: number): number;
  describeBuild(): string;
}

/** What the set-up found and built; `looprpt doctor` prints it. */
export interface EngineBuild {
  addon: string;
  libtorch: { version: string; root: string | null; libDir: string; how: string; cuda: boolean };
  compiler: string;
  flags: string[];
}

const packageRoot = new URL('../', import.meta.url);

/** Reads `build/engine.json`, or says which command makes it. */
export function engineBuild(): EngineBuild {
  const file = new URL('build/engine.json', packageRoot);
  if (!existsSync(file))
    throw new Error('the libtorch addon is not built yet: run `npm run setup` in the project folder');
  return JSON.parse(readFileSync(file, 'utf8')) as EngineBuild;
}

function load(): NativeEngine {
  // libgomp reads these once, when it is loaded. Threads that wait must sleep: libtorch's pool and the BLAS' pool
  // otherwise spin against each other on the same cores.
  process.env.OMP_WAIT_POLICY ??= 'passive';
  const addon = fileURLToPath(new URL(engineBuild().addon, packageRoot));
  const engine = createRequire(import.meta.url)(addon) as NativeEngine;
  engine.keepFreedMemory();
  engine.flushDenormals(true);
  return engine;
}

export const native: NativeEngine = load();
