/** The PyTorch peer's decoding, a process for each round. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const SCRIPT = fileURLToPath(new URL('../../../peer/bench_generate.py', import.meta.url));

const replySchema = z.object({
  results: z.array(z.object({ batch: z.int(), style: z.string(), decode_tokens_per_s: z.number().positive() })),
});
export type PeerRound = z.infer<typeof replySchema>['results'];

export interface PeerOptions {
  /** Checkpoint folder. */
  folder: string;
  batches: readonly number[];
  prompt: number;
  tokens: number;
  temperature: number;
  threads: number;
}

/** One measured run of each batch and style, after one to warm up. @throws if the peer fails */
export function peerRound(python: string, options: PeerOptions): PeerRound {
  const { folder, batches, prompt, tokens, temperature, threads } = options;
  const args = {
    model: folder,
    batch: batches.join(','),
    'prompt-len': prompt,
    'new-tokens': tokens,
    temperature,
    threads,
    reps: 1,
  };
  const argv = Object.entries(args).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const { status, stdout, stderr } = spawnSync(python, [SCRIPT, ...argv], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the peer ended with ${status}: ${stderr.trim()}`);
  return replySchema.parse(JSON.parse(stdout.trim().split('\n').at(-1)!)).results;
}
