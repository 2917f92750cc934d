#!/usr/bin/env node
/**
 * The engine's set-up: from a bare machine to an addon that loads. Run as a program it does that and says so; other
 * modules call `setupEngine`, and `inspectEngine` for a report that changes nothing. Types: index.d.mts.
 */
import { existsSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { blasOf } from './blas.mjs';
import { addonProbe, asking } from './blas-ask.mjs';
import { fitBlas, VARIABLE } from './blas-fit.mjs';
import { readRecord, stillHolds, thisProcessor, withoutOurs } from './blas-record.mjs';
import { buildAddon, isBuilt, readEngineJson } from './build-addon.mjs';
import { buildPlace } from './build-place.mjs';
import { planBuild } from './build-plan.mjs';
import { lookForLibtorch } from './find-libtorch.mjs';
import { install, NEED_TEXT, OTHER_WAYS, thisMachine } from './install.mjs';
import { planAsText, planInstall } from './install-plan.mjs';
import { needable } from './instructions.mjs';
import { complaintOfNode } from './node-version.mjs';
import { findCompiler } from './programs.mjs';
import { sayer } from './progress.mjs';
import { asSetupError, SettingError, SetupError } from './setup-error.mjs';
import { useBlas } from './use-blas.mjs';

export { pythonProbe } from './blas-ask.mjs';
export { lineOf as blasLine } from './blas-fit.mjs';
export { findLibtorch } from './find-libtorch.mjs';
export { SetupError } from './setup-error.mjs';

/** @typedef {import('./install-plan.mjs').Need} Need */

const packageDir = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const logFile = path.join(packageDir, 'build/install.log');
/** Exists once a person has said no to a better BLAS, or it could not be had: not to be tried at every start. */
const blasLeftAlone = path.join(packageDir, 'build/blas-left-alone');

/**
 * @param {import('./index.mjs').Libtorch} libtorch
 * @param {import('./index.mjs').Compiler} compiler
 * @returns {import('./build-plan.mjs').Target}
 */
function targetOf(libtorch, compiler) {
  const headers = createRequire(import.meta.url).resolve('node-api-headers/package.json');
  const march = process.env.LOOPRPT_MARCH;
  return {
    libtorch,
    compiler,
    nativeDir: path.join(packageDir, 'native'),
    nodeApiInclude: path.join(path.dirname(headers), 'include'),
    platform: process.platform,
    arch: process.arch,
    // virtual machines may call processors of several generations by one name
    cpu: [cpus()[0]?.model, ...needable(thisProcessor().flags)].join(' '),
    ...(march ? { march } : {}),
    ...(process.env.LOOPRPT_SANITIZE === '1' ? { sanitize: true } : {}),
  };
}

/** @type {typeof import('./index.mjs').setupEngine} */
export async function setupEngine({ yes = process.env.LOOPRPT_YES === '1', quiet = false } = {}) {
  if (process.platform === 'win32') throw new SetupError('Windows is not supported; use WSL 2.');
  const complaint = complaintOfNode();
  if (complaint !== null) throw new SetupError(complaint);
  try {
    return await bringUp({ yes, say: sayer('engine', { quiet }) });
  } catch (error) {
    throw asSetupError(error);
  }
}

/**
 * @param {{ yes: boolean, say: import('./progress.mjs').Say }} options
 * @returns {Promise<import('./index.mjs').EngineBuild>}
 */
async function bringUp({ yes, say }) {
  const { buildDir, base } = buildPlace(packageDir, process.env);
  const { libtorch, notes, compiler } = await provideRequired({ yes, say });
  if (blasOf(libtorch) === 'reference') await improveBlas({ yes, say });
  const target = targetOf(libtorch, compiler);
  const plan = planBuild(target);
  if (!isBuilt({ base, buildDir, plan })) for (const note of notes) say.line(`passed over: ${note}`);
  const build = await buildAddon({ base, buildDir, name: 'looprpt_engine', plan, target, env: process.env, say });
  if (target.sanitize) return build;
  const fit = () => fitBlasOf(addonProbe(path.resolve(base, build.addon)));
  await useBlas({ buildDir, libDir: libtorch.libDir, env: process.env, fit, say });
  return build;
}

/** @type {typeof import('./index.mjs').fitBlasOf} */
export function fitBlasOf(probe, env = process.env) {
  const theirs = withoutOurs(readRecord(buildPlace(packageDir, env).buildDir), env);
  return fitBlas({ ask: asking(probe, theirs), own: theirs[VARIABLE], flags: thisProcessor().flags });
}

/**
 * @param {{ yes: boolean, say: import('./progress.mjs').Say }} options
 * @returns {Promise<{ libtorch: import('./index.mjs').Libtorch, notes: string[], compiler: import('./index.mjs').Compiler }>}
 */
async function provideRequired({ yes, say }) {
  const before = look();
  if (before.libtorch !== null && before.compiler !== null)
    return { libtorch: before.libtorch, notes: before.notes, compiler: before.compiler };
  for (const fault of before.faults) throw fault;
  for (const note of before.notes) say.line(`passed over: ${note}`);
  if ((await install(before.needs, { yes, logFile, say })) === 'declined') {
    throw new SetupError(`nothing was installed. Run the commands above yourself. ${OTHER_WAYS}`);
  }
  const { libtorch, compiler, needs, notes } = look();
  if (libtorch !== null && compiler !== null) return { libtorch, notes: [], compiler }; // they have been said
  const still = needs.map((need) => NEED_TEXT[need]).join('; ');
  throw new SetupError(`the packages were installed, and still ${still}. ${notes.join('; ')}`);
}

/** What is there, which of the two things without which nothing works is not, and which settings name what is of no use. */
function look() {
  /** @type {SettingError[]} */
  const faults = [];
  const { libtorch, notes } = orFault(faults, lookForLibtorch) ?? { libtorch: null, notes: [] };
  const compiler = orFault(faults, findCompiler);
  /** @type {Need[]} */
  const needs = [];
  const atFault = (/** @type {string} */ variable) => faults.some((fault) => fault.variable === variable);
  if (libtorch === null && !atFault('LIBTORCH')) needs.push('libtorch');
  if (compiler === null && !atFault('CXX')) needs.push('compiler');
  return { libtorch, notes, compiler, needs, faults };
}

/**
 * @template T
 * @param {SettingError[]} faults gains the fault, if there is one
 * @param {() => T} find
 * @returns {T | null}
 */
function orFault(faults, find) {
  try {
    return find();
  } catch (error) {
    if (!(error instanceof SettingError)) throw error;
    faults.push(error);
    return null;
  }
}

/**
 * A slow BLAS is worth a try and a warning, not a failure.
 * @param {{ yes: boolean, say: import('./progress.mjs').Say }} options
 */
async function improveBlas({ yes, say }) {
  const remedy = () => planAsText(planInstall(thisMachine({ askSudo: false }), ['blas']));
  if (existsSync(blasLeftAlone) && !yes) {
    say.line(`note: ${NEED_TEXT.blas}; to change that: ${remedy()}`);
    return;
  }
  /** @type {string} */
  const outcome = await install(['blas'], { yes, logFile, say }).catch((error) => {
    if (error instanceof SetupError) return error.message;
    throw error;
  });
  if (outcome === 'done') return;
  if (outcome !== 'declined') say.line(`going on without it: ${outcome}`);
  mkdirSync(path.dirname(blasLeftAlone), { recursive: true });
  writeFileSync(blasLeftAlone, '');
}

/** @type {typeof import('./index.mjs').inspectEngine} */
export function inspectEngine() {
  const { libtorch, notes, compiler, needs, faults } = look();
  const place = orFault(faults, () => buildPlace(packageDir, process.env));
  const { buildDir, base } = place ?? buildPlace(packageDir, {});
  const blas = blasOf(libtorch);
  const build = readEngineJson(buildDir);
  const record = readRecord(buildDir);
  const known = libtorch !== null && record !== null && stillHolds(record, libtorch.libDir, process.env);
  const blasFit = known ? record.fit : null;
  const current =
    libtorch !== null &&
    compiler !== null &&
    isBuilt({ base, buildDir, plan: planBuild(targetOf(libtorch, compiler)) });
  const addon = current ? 'ready' : build === null ? 'missing' : 'stale';

  const machine = thisMachine({ askSudo: false });
  /** @type {Need[]} */
  const wanted = [...needs, ...(blas === 'reference' ? /** @type {Need[]} */ (['blas']) : [])];
  const mend = wanted.map((need) => ({ what: NEED_TEXT[need], command: planAsText(planInstall(machine, [need])) }));
  for (const { what, variable } of faults) mend.push({ what, command: `unset ${variable}` });
  if (addon !== 'ready' && faults.length === 0) {
    const what =
      addon === 'stale' ? 'the addon was made for another libtorch or from other sources' : 'the addon is not compiled';
    mend.push({ what, command: `node ${fileURLToPath(import.meta.url)}` });
  }
  return { libtorch, notes, compiler, blas, blasFit, addon, build, mend };
}

async function main() {
  const build = await setupEngine({ yes: process.argv.includes('--yes') || process.env.LOOPRPT_YES === '1' });
  const { version, root, how } = build.libtorch;
  process.stderr.write(`engine: ready: libtorch ${version} at ${root} (${how}), ${build.addon}\n`);
}

const program = process.argv[1];
if (program !== undefined && existsSync(program) && realpathSync(program) === fileURLToPath(import.meta.url)) {
  main().catch((error) => {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`engine: ${error.message}\n`);
    process.exitCode = error.exitCode;
  });
}
