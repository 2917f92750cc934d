/**
 * Compiles and links the addon with the C++ compiler alone. Objects and addons are kept under names made of the hash of
 * all that goes into them, so a second build does nothing and a changed libtorch, flag or source builds what it must.
 * Every file is written under a temporary name and renamed when whole; `engine.json` comes last, after the addon has
 * been loaded once. Stopping at any moment leaves the previous addon in force.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import path from 'node:path';
import { instructionsOf } from './instructions.mjs';
import { sanitizerEnvironment } from './sanitizer.mjs';
import { SetupError } from './setup-error.mjs';

/** @typedef {import('./build-plan.mjs').BuildPlan} BuildPlan */
/** @typedef {import('./index.mjs').EngineBuild} EngineBuild */

/** What one compilation of libtorch's headers takes. */
const BYTES_PER_JOB = 1.5 * 2 ** 30;
/** Objects and addons that no build has used for so long are deleted. */
const KEEP_DAYS = 14;

/**
 * @param {string} buildDir
 * @returns {EngineBuild | null} the addon in force
 */
export function readEngineJson(buildDir) {
  try {
    return JSON.parse(readFileSync(path.join(buildDir, 'engine.json'), 'utf8'));
  } catch {
    return null; // never built, or damaged: built again
  }
}

/**
 * @param {object} where
 * @param {string} where.base addons are named relative to it
 * @param {string} where.buildDir
 * @param {BuildPlan} where.plan
 */
export function isBuilt({ base, buildDir, plan }) {
  const build = readEngineJson(buildDir);
  return build !== null && build.key === plan.key && existsSync(path.resolve(base, build.addon));
}

/**
 * @param {object} job
 * @param {string} job.base addons are named relative to it
 * @param {string} job.buildDir
 * @param {string} job.name the addon's file name without `.node`
 * @param {BuildPlan} job.plan
 * @param {import('./build-plan.mjs').Target} job.target
 * @param {NodeJS.ProcessEnv} job.env
 * @param {import('./progress.mjs').Say} job.say
 * @returns {Promise<EngineBuild>}
 * @throws {SetupError} with exit code 2 when a file does not compile or the addon does not link or load
 */
export async function buildAddon({ base, buildDir, name, plan, target, env, say }) {
  const { libtorch, compiler } = target;
  const objectDir = path.join(buildDir, 'obj');
  const addon = path.join(buildDir, plan.key, `${name}.node`);
  const addonName = path.relative(base, addon);
  const previous = readEngineJson(buildDir);
  const isSame = previous?.libtorch.how === libtorch.how && previous.instructions !== undefined;
  if (previous !== null && isSame && isBuilt({ base, buildDir, plan })) return previous;

  if (!existsSync(addon)) {
    mkdirSync(objectDir, { recursive: true });
    mkdirSync(path.dirname(addon), { recursive: true });
    const waiting = plan.units.filter(({ object }) => !existsSync(path.join(objectDir, object)));
    const jobs = Math.min(jobCount(env), Math.max(waiting.length, 1));
    const what = waiting.length === 0 ? 'linking' : `compiling ${waiting.length} C++ files, ${jobs} at a time,`;
    say.line(`${what} against libtorch ${libtorch.version} (${libtorch.root})`);
    await compileAll({ waiting, jobs, objectDir, plan, compiler, env, say });

    const objects = plan.units.map(({ object }) => path.join(objectDir, object));
    await produce(addon, async (temporary) => {
      await run([...compiler.command, '-o', temporary, ...objects, ...plan.link], 'the addon does not link', env, say);
      load(temporary, target.sanitize ? { ...env, ...sanitizerEnvironment(compiler) } : env);
    });
  }
  /** @type {EngineBuild} */
  const build = {
    addon: addonName,
    libtorch,
    compiler: compiler,
    flags: [...plan.compile, ...plan.link],
    instructions: instructionsOf(compiler, plan.compile),
    builtAt: new Date().toISOString(),
    key: plan.key,
  };
  await produce(path.join(buildDir, 'engine.json'), (temporary) =>
    writeFileSync(temporary, `${JSON.stringify(build, null, 2)}\n`),
  );
  prune(buildDir, plan);
  return build;
}

/** @param {NodeJS.ProcessEnv} env */
function jobCount(env) {
  if (env.LOOPRPT_JOBS) return Math.max(1, Number.parseInt(env.LOOPRPT_JOBS, 10) || 1);
  // 0 and absurdly large both mean: no limit was set
  const limit = process.constrainedMemory?.() || totalmem();
  return Math.max(1, Math.min(availableParallelism(), Math.floor(Math.min(limit, totalmem()) / BYTES_PER_JOB)));
}

/**
 * @param {{ waiting: BuildPlan['units'], jobs: number, objectDir: string, plan: BuildPlan,
 *   compiler: import('./index.mjs').Compiler, env: NodeJS.ProcessEnv, say: import('./progress.mjs').Say }} job
 */
async function compileAll({ waiting, jobs, objectDir, plan, compiler, env, say }) {
  const queue = [...waiting];
  const stop = new AbortController();
  let done = 0;
  const worker = async () => {
    for (let unit = queue.shift(); unit !== undefined; unit = queue.shift()) {
      const { source, object } = unit;
      const started = performance.now();
      await produce(path.join(objectDir, object), (temporary) =>
        run(
          [...compiler.command, ...plan.compile, '-c', source, '-o', temporary],
          `${source} does not compile`,
          env,
          say,
          stop.signal,
        ),
      );
      done += 1;
      say.line(
        `[${done}/${waiting.length}] ${path.basename(source)} (${((performance.now() - started) / 1000).toFixed(1)} s)`,
      );
    }
  };
  const workers = Array.from({ length: jobs }, worker);
  await Promise.all(workers).catch((error) => {
    queue.length = 0;
    stop.abort();
    throw error;
  });
}

/**
 * Runs a compiler; what it has to say about a success (warnings) is passed on.
 * @param {string[]} command
 * @param {string} failure
 * @param {NodeJS.ProcessEnv} env
 * @param {import('./progress.mjs').Say} say
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
function run(command, failure, env, say, signal) {
  const [program = '', ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'], ...(signal ? { signal } : {}) });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', reject);
    child.on('close', (status, killedBy) => {
      if (status === 0) {
        if (output.trim() !== '') say.line(`the compiler says:\n${output.trimEnd()}`);
        resolve();
        return;
      }
      const memory = killedBy === 'SIGKILL' || /Killed signal/.test(output);
      const hint = memory
        ? '\nThe compiler was killed, probably for want of memory: try again with LOOPRPT_JOBS=1.'
        : '';
      reject(
        new SetupError(
          `${failure}:\n${output.trimEnd()}\nThe command was:\n  ${command.map(quote).join(' ')}${hint}`,
          2,
        ),
      );
    });
  });
}

/** @param {string} word of a command line, for a person to copy */
const quote = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/**
 * Loads the addon in a process of its own: a library that is missing or of another ABI shows here, not at first use.
 * @param {string} file
 * @param {NodeJS.ProcessEnv} env
 */
function load(file, env) {
  const script = `process.dlopen({ exports: {} }, ${JSON.stringify(file)})`;
  const answer = spawnSync(process.execPath, ['-e', script], {
    env: { ...env, OMP_WAIT_POLICY: 'passive' },
    encoding: 'utf8',
  });
  if (answer.status === 0) return;
  const message = answer.stderr.split('\n').find((line) => /^\w*Error: /.test(line)) ?? answer.stderr.trim();
  throw new SetupError(`the addon was compiled but does not load: ${message || `ended by ${answer.signal}`}`, 2);
}

/**
 * A file appears under its name only when it is whole and on the disk.
 * @param {string} file
 * @param {(temporary: string) => void | Promise<void>} write
 */
async function produce(file, write) {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    await write(temporary);
    const handle = openSync(temporary, 'r+');
    fsyncSync(handle);
    closeSync(handle);
    renameSync(temporary, file);
  } finally {
    rmSync(temporary, { force: true });
  }
}

/**
 * Deletes what no build has used for a while, left-overs of interrupted ones included.
 * @param {string} buildDir
 * @param {BuildPlan} plan the build that was just made
 */
function prune(buildDir, plan) {
  const now = new Date();
  const objectDir = path.join(buildDir, 'obj');
  const objects = existsSync(objectDir) ? readdirSync(objectDir).map((name) => path.join(objectDir, name)) : [];
  const addons = readdirSync(buildDir)
    .filter((name) => /^[0-9a-f]{16}$/.test(name))
    .map((name) => path.join(buildDir, name));
  const used = new Set([
    ...plan.units.map(({ object }) => path.join(objectDir, object)),
    path.join(buildDir, plan.key),
  ]);
  for (const file of [...objects, ...addons]) {
    if (used.has(file)) utimesSync(file, now, now);
    else if (
      now.getTime() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY) >
      KEEP_DAYS * 86_400_000
    ) {
      rmSync(file, { recursive: true, force: true });
    }
  }
}
