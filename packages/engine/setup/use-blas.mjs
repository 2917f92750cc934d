/**
 * What set-up does about the BLAS that the addon loads: once a processor, library and settings it is asked, the user is told, and
 * the answer recorded. One that computes wrongly is not used: the addon is taken out of force.
 */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { lineOf, VARIABLE } from './blas-fit.mjs';
import { readRecord, recordOf, sharedBlas, stillHolds, writeRecord } from './blas-record.mjs';
import { OTHER_WAYS } from './install.mjs';
import { SettingError, SetupError } from './setup-error.mjs';

/**
 * @param {object} what
 * @param {string} what.buildDir with `engine.json`
 * @param {string} what.libDir libtorch's folder of libraries
 * @param {NodeJS.ProcessEnv} what.env
 * @param {() => Promise<import('./index.mjs').BlasFit>} what.fit asks the library
 * @param {import('./progress.mjs').Say} what.say
 * @throws {SetupError} where it computes wrongly
 */
export async function useBlas({ buildDir, libDir, env, fit, say }) {
  if (sharedBlas(libDir) === null) return; // libtorch carries its own
  const known = readRecord(buildDir);
  if (known !== null && stillHolds(known, libDir, env)) return;
  const found = await fit();
  const line = lineOf(found);
  if (found.verdict === 'wrong') {
    rmSync(path.join(buildDir, 'engine.json'), { force: true });
    const own = env[VARIABLE];
    if (own !== undefined) throw new SettingError(VARIABLE, `${VARIABLE}=${own}: ${line}`, 'another core');
    throw new SetupError(`${line}. Install a newer OpenBLAS. ${OTHER_WAYS}`);
  }
  if (line !== null) say.line(line);
  if (found.verdict !== 'untouched') writeRecord(buildDir, recordOf(libDir, env, found));
}
