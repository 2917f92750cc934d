/** The first-contact job: what `npm start` runs. */
export interface StartOptions {
  out: string;
  quiet: boolean;
  threads: number;
  seed: number;
  signal: AbortSignal;
}

export async function runStart(options: StartOptions): Promise<void> {
  throw new Error(`the first-contact job is not part of this build (asked for ${options.out})`);
}
