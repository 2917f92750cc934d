/** The program as a process: its streams, its environment, its exit code. `main` is the same without a process. */
import { prepareThreads, threadsAmong } from '../base/threads.js';

export async function runProcess(): Promise<void> {
  const args = process.argv.slice(2);
  // The launcher computes nothing; its ranks share the cores among them.
  if (args[0] !== 'launch') prepareThreads(process.env, threadsAmong(args));
  // A reader that has seen enough (`looprpt … | head`) is no fault of anyone.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
  const { main } = await import('./main.js');
  process.exitCode = await main(args, process);
}
