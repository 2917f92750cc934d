import type { BlasFit } from './index.mjs';

export interface BlasRecord {
  libDir: string;
  library: { file: string; stamp: string } | null;
  processor: string;
  /** Variables of the environment that OpenBLAS reads, as they stood. */
  settings: Record<string, string | undefined>;
  fit: BlasFit;
}

/** Of this machine; without flags where it is not Linux. */
export function thisProcessor(): { identity: string; flags: string[] };

/** The BLAS that would be loaded from libtorch's folder of libraries; null where libtorch carries its own. */
export function sharedBlas(libDir: string): BlasRecord['library'];

/** The record for what is here now. */
export function recordOf(libDir: string, env: NodeJS.ProcessEnv, fit: BlasFit): BlasRecord;

/** Null where there is none. */
export function readRecord(buildDir: string): BlasRecord | null;

export function writeRecord(buildDir: string, record: BlasRecord): void;

/** The environment without the core that a process, or the one that started it, has from the record. */
export function withoutOurs(record: BlasRecord | null, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv;

/** Whether it was made on this processor, with this library and these settings. */
export function stillHolds(record: BlasRecord, libDir: string, env: NodeJS.ProcessEnv): boolean;

/** Writes the recorded core into the environment, unless the user has set one or the record is another machine's. */
export function prepareBlas(buildDir: string, env: NodeJS.ProcessEnv): void;
