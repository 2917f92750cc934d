/** A generator as tensors need it: its index in the addon's table. */
export interface GeneratorHandle {
  readonly handle: number;
}
