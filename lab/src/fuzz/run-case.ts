/**
 * One case: its files are laid out, read, and what happened is judged. Right is a result, or a `UserError` of one short line;
 * memory that grows with the files, and no path outside the folder. Crashes and hangs are the supervisor's to see.
 */
import { liveTensors } from '@looprpt/engine';
import { UserError } from 'looprpt/internal/base/user-error.js';
import type { Sandbox } from './sandbox.js';
import type { CaseFiles, FuzzTarget } from './target.js';

/** A case may allocate this much, and so much more for each byte of its files. */
const BASE_BYTES = 64 * 2 ** 20;
const BYTES_PER_INPUT = 200;

/** A message is for a person's terminal: a path, what is wrong, how to mend it. */
const LONGEST_MESSAGE = 1600;

export type Verdict = { ok: true; refused: boolean } | { ok: false; fault: string };

export async function runCase(target: FuzzTarget, sandbox: Sandbox, files: CaseFiles): Promise<Verdict> {
  sandbox.fill(files);
  const input = files.reduce((sum, [, bytes]) => sum + bytes.length, 0);
  const before = bytesInUse();
  const tensors = liveTensors();
  let refusal: unknown = null;
  const strayed = await sandbox.during(async () => {
    try {
      await target.read(sandbox.folder, files);
    } catch (error) {
      refusal = error ?? new Error('something empty was thrown');
    }
  });
  const after = bytesInUse();
  if (strayed !== null) return fault(`asked for ${strayed}, outside of its folder`);
  if (refusal !== null && !(refusal instanceof UserError)) return fault(describe(refusal));
  if (refusal instanceof UserError) {
    const { message } = refusal;
    if (/\p{Cc}/u.test(message)) return fault(`its message is not one line: ${JSON.stringify(message.slice(0, 300))}`);
    if (message.length > LONGEST_MESSAGE)
      return fault(`its message has ${message.length} characters: ${message.slice(0, 200)}…`);
  }
  const limit = (target.allowance ?? BASE_BYTES) + BYTES_PER_INPUT * input;
  for (const kind of ['heap', 'peak'] as const)
    if (after[kind] - before[kind] > limit)
      return fault(`${kind} memory grew by ${mega(after[kind] - before[kind])} for ${input} bytes of input`);
  if (!target.keepsTensors && liveTensors() > tensors)
    return fault(`${liveTensors() - tensors} tensors were left alive`);
  if (Object.keys(Object.prototype).length > 0) return fault('the prototype of all objects was changed');
  return { ok: true, refused: refusal !== null };
}

/** What JavaScript holds, garbage included, and the most that the process ever had. */
function bytesInUse(): { heap: number; peak: number } {
  const { heapUsed, external } = process.memoryUsage();
  return { heap: heapUsed + external, peak: process.resourceUsage().maxRSS * 1024 };
}

function fault(text: string): Verdict {
  return { ok: false, fault: text };
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message).slice(0, 2000) : `threw ${String(error)}`;
}

function mega(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MB`;
}
