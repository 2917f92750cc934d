/**
 * The compiled addon: where it is, how it is loaded, and the types of what it exports.
 *
 * This is the only module that touches the addon file. `engine.json`, written by the set-up, names the addon and the
 * libtorch that it was built against. Importing this module loads libtorch (some hundred milliseconds).
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { EngineBuild } from '../setup/index.mjs';
import { engineFile, packageRoot, prepareEnvironment, whyNotHere } from './environment.js';

export type { EngineBuild };

/** Index of a native tensor; 0 is none. */
export type Handle = number;

/** One argument as the addon takes it: tensors are handles, dtypes and devices are strings. */
export type NativeArgument = Handle | boolean | string | bigint | null | undefined | readonly NativeArgument[];

/** A tensor, a (nested) list of tensors, a generator, anything else. */
export type ValueKind = 't' | 'l' | 'g' | 'v';

export interface ArgumentDescription {
  name: string;
  kind: ValueKind;
  /** Whether the operator works on it in place. */
  changes: boolean;
}

export interface OperatorDescription {
  schema: string;
  arguments: ArgumentDescription[];
  /** Per result its kind, or the index of the argument, changed in place, that it is. */
  returns: (ValueKind | number)[];
}

export interface OperatorTotal {
  operator: string;
  backward: boolean;
  calls: number;
  milliseconds: number;
}

export interface NativeEngine {
  resolve(name: string, overload: string): number;
  describe(id: number): OperatorDescription;
  call(id: number, ...args: NativeArgument[]): unknown;
  operatorNames(): string[];

  fromBytes(
    bytes: NodeJS.TypedArray,
    dtype: string,
    sizes: readonly number[],
    targetDType: string,
    targetDevice: string,
  ): Handle;
  readBytes(tensor: Handle, into: NodeJS.TypedArray): void;
  readNumbers(tensor: Handle, into: Float64Array): void;
  writeBytes(tensor: Handle, from: NodeJS.TypedArray): void;
  viewBytes(tensor: Handle): ArrayBuffer;
  sizes(tensor: Handle): number[];
  dtype(tensor: Handle): string;
  device(tensor: Handle): string;
  isContiguous(tensor: Handle): boolean;
  ownedBytes(tensor: Handle): number;
  item(tensor: Handle): number;
  release(tensor: Handle): void;
  releaseAll(tensors: Int32Array, n: number): void;
  liveTensors(): number;

  mapFile(path: string): number;
  mapMemory(bytes: number): number;
  mappedBytes(mapping: number): ArrayBuffer;
  mappedTensor(mapping: number, byteOffset: number, dtype: string, sizes: readonly number[]): Handle;
  removeOnFault(path: string): void;
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
  version(): string;
  cudaDevices(): number;
  synchronize(device: string): void;
  deviceMemory(device: string): [peak: number, whole: number] | null;
  adjustExternalMemory(bytes: number): number;
  describeBuild(): string;

  /** Empty where libtorch has no distributed part; then nothing else of it is there. */
  distributedBackends(): string[];
  tcpBytesSent(): number;
  scattersSums(backend: string): boolean;
  joinGroup(...options: (string | number | boolean)[]): Promise<number>;
  cancelJoin(ticket: number): void;
  leaveGroup(group: number): Promise<void>;
  failGroup(group: number, reason: string): void;
  allReduce(group: number, tensor: Handle, op: string): number;
  reduceScatter(group: number, output: Handle, input: Handle): number;
  allGather(group: number, output: Handle, input: Handle): number;
  broadcast(group: number, tensor: Handle, root: number): number;
  barrier(group: number): number;
  waitCollective(collective: number): void;
  waitCollectiveLater(collective: number): Promise<void>;
  newReducer(
    group: number,
    flats: Handle[],
    shards: Handle[],
    parameters: Handle[],
    bucketOfParameter: number[],
    parameterOfPiece: number[],
    fromOfPiece: number[],
    places: Handle[],
  ): number;
  collectInReducer(reducer: number): void;
  armReducer(reducer: number): void;
  finishReducer(reducer: number): number[];
  presentInReducer(reducer: number): boolean[];
  releaseReducer(reducer: number): void;

  startProfile(): void;
  stopProfile(): OperatorTotal[];
}

/**
 * What the set-up found and built, the addon's path made absolute. It is `build/engine.json` of this package, or the
 * file that the environment's LOOPRPT_ENGINE_BUILD names (an addon for another libtorch), in which the addon's path
 * may be relative to that file.
 *
 * @throws if there is none, with the command that makes it
 */
export function engineBuild(): EngineBuild {
  const { file, base } = engineFile(process.env);
  if (!existsSync(file)) {
    throw new Error(
      process.env.LOOPRPT_ENGINE_BUILD
        ? `LOOPRPT_ENGINE_BUILD names ${file}, which does not exist`
        : `the libtorch addon is not built yet: run \`node ${path.join(packageRoot, 'setup/index.mjs')}\``,
    );
  }
  const build = JSON.parse(readFileSync(file, 'utf8')) as EngineBuild;
  return { ...build, addon: path.resolve(base, build.addon) };
}

function load(): NativeEngine {
  const reason = whyNotHere(process.env);
  if (reason !== null)
    throw new Error(`${reason}: compile it here with \`node ${path.join(packageRoot, 'setup/index.mjs')}\``);
  prepareEnvironment(process.env);
  // What c10d writes to stderr about lost connections comes as errors too, in one sentence.
  process.env.GLOG_minloglevel ??= '3';
  process.env.TORCH_CPP_LOG_LEVEL ??= 'FATAL';
  const engine = createRequire(import.meta.url)(engineBuild().addon) as NativeEngine;
  engine.keepFreedMemory();
  return engine;
}

export const native: NativeEngine = load();
