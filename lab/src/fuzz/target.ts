/** What is fuzzed: a source of hostile files, and a reader that must give a result or a `UserError` for every one of them. */
import type fc from 'fast-check';

/** Names within the case's folder, and bytes. */
export type CaseFiles = readonly (readonly [name: string, bytes: Uint8Array])[];

export interface FuzzTarget {
  readonly cases: fc.Arbitrary<CaseFiles>;
  /** What a case may allocate however small it is, where the product has a limit of its own; by default little. */
  readonly allowance?: number;
  /** Whether what is read stays in use, such as a decoder's pages, so that tensors may remain. */
  readonly keepsTensors?: boolean;
  /**
   * Reads the files as the product does, and uses what came out.
   * @throws UserError where the product refuses them; everything else is a finding
   */
  read(folder: string, files: CaseFiles): Promise<void> | void;
}

/** Made in the process that runs the cases; may write what all cases share. */
export type TargetMaker = () => Promise<FuzzTarget> | FuzzTarget;
