/**
 * Whether two runs ended the same, bit for bit: weights, optimizer, teacher, chance, data position, counters, metrics and
 * TensorBoard events. Only what the clock or the process decides may differ: times, speeds, memory, process ids.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { METRICS_FILE, readMetrics } from 'looprpt/internal/train/metrics/metrics-log.js';
import { CHECKSUMS_FILE, listCheckpoints, STATE_FILE } from 'looprpt/internal/train/state/folder.js';
import { LOCK_FILE } from 'looprpt/internal/train/state/run-lock.js';
import { shownSteps } from './event-files.js';

/** What differs, a sentence each; nothing if the ends are the same. */
export function differences(expected: string, actual: string): string[] {
  return [...checkpointDifferences(expected, actual), ...metricsDifferences(expected, actual)];
}

/** Temporary files and locks that a run has left behind at its end. */
export function leftBehind(runFolder: string): string[] {
  const names = [runFolder, join(runFolder, 'checkpoints')].flatMap((folder) => readdirSync(folder));
  return names
    .filter((name) => name.includes('.partial') || name.startsWith(LOCK_FILE))
    .map((name) => `${name} was left behind`);
}

/** Of the last checkpoint, and of every earlier one that both runs have. */
function checkpointDifferences(expected: string, actual: string): string[] {
  const [ours, theirs] = [listCheckpoints(actual), listCheckpoints(expected)];
  const last = (list: typeof ours): string => (list[0] ? `step ${list[0].step}` : 'no checkpoint');
  if (ours[0]?.step !== theirs[0]?.step) return [`the last checkpoint: ${last(ours)} instead of ${last(theirs)}`];
  return theirs.flatMap(({ path, step }) => {
    const same = ours.find((other) => other.step === step);
    return same === undefined ? [] : folderDifferences(path, same.path, `step ${step}`);
  });
}

function folderDifferences(expected: string, actual: string, what: string): string[] {
  const names = readdirSync(expected).sort();
  if (!isDeepStrictEqual(names, readdirSync(actual).sort())) return [`${what}: other files`];
  const bytes = names.filter((name) => name !== STATE_FILE && name !== CHECKSUMS_FILE);
  return [
    ...bytes.filter((name) => !readFileSync(join(expected, name)).equals(readFileSync(join(actual, name)))),
    ...(isDeepStrictEqual(stateOf(expected), stateOf(actual)) ? [] : [STATE_FILE]),
  ].map((name) => `${what}: ${name}`);
}

function stateOf(checkpoint: string): unknown {
  const { seconds: _, ...state } = JSON.parse(readFileSync(join(checkpoint, STATE_FILE), 'utf8')) as {
    seconds: number;
  };
  return state;
}

/** The records without what depends on the clock and on the process. */
export function measuredSteps(runFolder: string) {
  return readMetrics(join(runFolder, METRICS_FILE)).records.map(
    ({ seconds: _, tokensPerSecond: __, memoryBytes: ___, ...rest }) => rest,
  );
}

function metricsDifferences(expected: string, actual: string): string[] {
  const [theirs, ours] = [measuredSteps(expected), measuredSteps(actual)];
  const steps = ours.map(({ step }) => step);
  const gap = steps.findIndex((step, i) => step !== i + 1);
  if (gap >= 0) return [`${METRICS_FILE}: step ${steps[gap]} where ${gap + 1} should be`];
  if (ours.length !== theirs.length) return [`${METRICS_FILE}: ${ours.length} steps instead of ${theirs.length}`];
  const changed = theirs.findIndex((record, i) => !isDeepStrictEqual(record, ours[i]));
  return [
    ...(changed < 0 ? [] : [`${METRICS_FILE}: step ${changed + 1} has other numbers`]),
    ...eventDifferences(actual, ours),
  ];
}

/** A run without event files has none to differ. */
function eventDifferences(runFolder: string, records: ReturnType<typeof measuredSteps>): string[] {
  const shown = shownSteps(runFolder);
  if (shown.length === 0) return [];
  const steps = shown.map(({ step, values }) => [step, values['loss/total']]);
  const logged = records.map(({ step, loss }) => [step, Math.fround(loss)]);
  return isDeepStrictEqual(steps, logged) ? [] : ['the TensorBoard events show other steps than the metrics'];
}
