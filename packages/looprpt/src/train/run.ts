/**
 * A training run from start, or from its newest whole checkpoint, to its last step: what is opened, checked and locked before the
 * steps (training.ts) begin.
 *
 * The run folder holds `config.json` (resolved), `metrics.jsonl`, TensorBoard files, `checkpoints/step-N/` and, while a process
 * trains, `run.lock`; with `blend` below 1, at the end `model/`. A run that is interrupted finishes its step, writes a checkpoint and reports it; one that is killed goes on
 * from the newest whole checkpoint and ends with the same weights, bit for bit.
 */

import { join } from 'node:path';
import { PeerError, type ProcessGroup, removeOnFault, setThreads } from '@looprpt/engine';
import { UserError } from '../base/user-error.js';
import type { Documents } from '../data/documents/document.js';
import type { PackedLoader } from '../data/loader/packed-loader.js';
import type { Objective } from '../objectives/contract.js';
import { objectiveOf } from '../objectives/objective.js';
import { ALONE, type Peers } from '../objectives/peers.js';
import { writeBlended } from './blend.js';
import { agreedDType } from './distributed/agreed-dtype.js';
import { joinPeers } from './distributed/join.js';
import { LostPeers } from './distributed/lost-peers.js';
import { assertSameRun } from './distributed/same-run.js';
import { agreedCheckpoint, poisonedIn } from './distributed/together.js';
import { METRICS_FILE, readMetrics, truncateAfter } from './metrics/metrics-log.js';
import { memoryRemark } from './plan/fits.js';
import type { RunConfig } from './run-config.js';
import { openRunData } from './run-data.js';
import { removePartialCheckpoints } from './state/folder.js';
import { holdsRun, makeFolder, type Resume, writeRunConfig } from './state/run-folder.js';
import { LOCK_FILE, lockRun, type RunLock } from './state/run-lock.js';
import { type RunState, restoreCheckpoint } from './state/run-state.js';
import { writeFailure } from './state/write-failure.js';
import { modelSource } from './student.js';
import { Trainer } from './trainer.js';
import { type RunHooks, type RunOutcome, Training } from './training.js';

export { CONFIG_FILE } from './state/folder.js';
export type { RunHooks, RunOutcome } from './training.js';

/** What a program gives beside the configuration, which only names it. */
export interface Given {
  objective?: Objective | undefined;
  documents?: Documents | undefined;
  /** Whether the dtype was `auto` and several processes are to agree on one. */
  dtypeIsOpen?: boolean | undefined;
  /** Told of the configuration once nothing of it is open. */
  onComplete?: ((config: RunConfig) => void) | undefined;
}

/**
 * Runs the training; where the environment says so (train/distributed/environment.ts), together with other processes. Then all read the
 * same run folder, rank 0 alone writes it, and one that fails tells the others.
 * @param resume go on in an existing run folder; without it the folder must not hold a run
 * @throws UserError when the folder is in use, the data or the weights are damaged, the disk refuses, or training diverged
 */
export async function run(
  config: RunConfig,
  resume: Resume,
  hooks: RunHooks = {},
  given: Given = {},
): Promise<RunOutcome> {
  await using group = await joinPeers(config, { signal: hooks.signal });
  try {
    // One voice is enough: what rank 0 says holds for all.
    const heard = group && group.rank > 0 ? signalOf(hooks) : hooks;
    const complete = group ? await withAgreedDType(group, config, given, heard) : config;
    given.onComplete?.(complete);
    return await runWith(group, complete, resume, heard, given);
  } catch (error) {
    if (error instanceof PeerError) throw new LostPeers(error.message);
    group?.fail(error instanceof Error ? error.message : String(error));
    throw error;
  }
}

const signalOf = ({ signal }: RunHooks): RunHooks => (signal ? { signal } : {});

async function withAgreedDType(
  group: ProcessGroup,
  config: RunConfig,
  { dtypeIsOpen = false }: Given,
  { onMessage }: RunHooks,
): Promise<RunConfig> {
  const { config: model } = await modelSource(config, { weights: false });
  const { device, threads } = config;
  const { dtype, why } = agreedDType(group, dtypeIsOpen ? null : config.dtype, { model, device, threads });
  if (why !== null) onMessage?.(`dtype ${dtype}: ${why}`);
  return { ...config, dtype };
}

async function runWith(
  group: ProcessGroup | null,
  config: RunConfig,
  resume: Resume,
  hooks: RunHooks,
  given: Given,
): Promise<RunOutcome> {
  const objective = given.objective ?? objectiveOf(config.objective);
  if (config.objective.kind === 'custom' && given.objective === undefined)
    throw new UserError(
      `objective ${config.objective.name}: is a function of the program that trained; train with that program`,
    );
  setThreads(config.threads);
  const peers = group ?? ALONE;
  const first = peers.rank === 0;
  // A run that is there is locked before anything else; of one that is not, a failed start shall leave no folder behind.
  const [started] = peers.exchange(first && holdsRun(config, resume)) as [boolean, ...boolean[]];
  using early = first && started ? lock(config) : null;
  if (early) noteConfig(config);
  const source = await modelSource(config);
  for (const remark of source.config.remarks ?? []) hooks.onMessage?.(`the model's config.json: ${remark}`);
  assertSameRun(config, source.tokenizer.hash, peers);
  const { onMessage } = hooks;
  const tight = memoryRemark(config, source.config, { ranks: peers.size });
  if (tight !== null) onMessage?.(tight);
  const loader = openRunData(config, source.tokenizer, peers, { given: given.documents, onMessage });
  const student = source.open();
  const { optimizer, teacherDecay, seed } = config;
  const ranks = group ? { group, config: config.distributed } : undefined;
  const trainer = new Trainer({ student, objective, optimizer, teacherDecay, seed, ranks });
  try {
    assertFinite(trainer, 'model', peers);
    using late = first && early === null ? startIn(config) : null;
    const owner = early ?? late;
    if (owner) removeOnFault(join(config.out, LOCK_FILE));
    const state = started ? await resumed(config, trainer, loader, peers, hooks) : null;
    const { tokenizerFrom } = source;
    const parts = { config, trainer, loader, peers, tokenizerFrom, assertOwner: () => owner?.assertHeld() };
    await using training = new Training(parts, state, hooks);
    const outcome = await training.run();
    if (!first || outcome.interrupted) return outcome;
    return { ...outcome, model: (await writeBlended(config, student, source)) ?? outcome.model };
  } finally {
    removeOnFault(null);
    await loader.close();
    trainer[Symbol.dispose]();
    trainer.student.dispose();
  }
}

function lock({ out }: RunConfig): RunLock {
  try {
    return lockRun(out);
  } catch (error) {
    throw writeFailure(error, `${out}: the run's lock`);
  }
}

/** What may change in a run that goes on is as it was asked for last. */
function noteConfig(config: RunConfig): void {
  try {
    writeRunConfig(config);
  } catch (error) {
    throw writeFailure(error, `${config.out}: the run's configuration`);
  }
}

/** Makes the folder a run, as its owner. */
function startIn(config: RunConfig): RunLock {
  try {
    makeFolder(config.out);
    const owner = lockRun(config.out);
    // Another process may have been quicker, and have ended already.
    holdsRun(config, false);
    writeRunConfig(config);
    return owner;
  } catch (error) {
    throw writeFailure(error, `${config.out}: the run folder`);
  }
}

function assertFinite(trainer: Trainer, where: string, peers: Peers): void {
  using tensors = trainer.tensors();
  const poisoned = poisonedIn(trainer, tensors, peers);
  if (poisoned !== null)
    throw new UserError(`${where}: ${poisoned} holds NaN or infinity; training cannot start from these weights`);
}

async function resumed(
  config: RunConfig,
  trainer: Trainer,
  loader: PackedLoader,
  peers: Peers,
  { onMessage = () => {} }: RunHooks,
): Promise<RunState | null> {
  const first = peers.rank === 0;
  if (first) removePartialCheckpoints(config.out);
  const checkpoint = await agreedCheckpoint(config.out, peers, onMessage);
  const metrics = join(config.out, METRICS_FILE);
  if (first) truncateAfter(metrics, checkpoint?.step ?? 0);
  if (checkpoint === null) return null;
  const state = restoreCheckpoint(checkpoint, trainer);
  assertFinite(trainer, checkpoint.path, peers);
  loader.restore(state.data);
  if (!first) return state;
  const logged = readMetrics(metrics).records.at(-1)?.step ?? 0;
  if (logged < state.step)
    onMessage(
      `${metrics}: ends at step ${logged}, the checkpoint is of step ${state.step}; the steps between have no metrics`,
    );
  return state;
}
