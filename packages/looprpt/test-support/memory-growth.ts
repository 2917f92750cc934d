/** How much memory a piece of work takes at most, by the kernel's own account, in a process of its own. Linux only. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PACKAGE = fileURLToPath(new URL(import.meta.url.includes('/dist/') ? '../../' : '../', import.meta.url));

/**
 * @param program a module that defines `measured`, the work, and may define `told`, which gives numbers to be told beside it;
 *   `'dist/…'` are this package's compiled files
 * @returns bytes by which resident memory grew during the work, at the peak and `after` it
 */
export function growthOf(program: string): { grown: number; after: number } & Partial<Record<string, number>> {
  const resolved = program.replaceAll("'dist/", `'${PACKAGE}dist/`);
  const script = `
    import { readFileSync, writeFileSync } from 'node:fs';
    ${resolved}
    const kept = (name) => 1024 * Number(new RegExp(name + ':\\\\s+(\\\\d+)').exec(readFileSync('/proc/self/status', 'utf8'))[1]);
    const residentBefore = kept('VmRSS');
    writeFileSync('/proc/self/clear_refs', '5');
    await measured();
    const grown = kept('VmHWM') - residentBefore;
    const others = typeof told === 'function' ? told() : {};
    console.log(JSON.stringify({ ...others, grown, after: kept('VmRSS') - residentBefore }));
  `;
  const environment = { ...process.env, OMP_NUM_THREADS: '1' };
  const options = { cwd: PACKAGE, env: environment, encoding: 'utf8' } as const;
  return JSON.parse(
    execFileSync(
      process.execPath,
      ['--max-semi-space-size=1', '--expose-gc', '--input-type=module', '-e', script],
      options,
    ),
  ) as ReturnType<typeof growthOf>;
}
