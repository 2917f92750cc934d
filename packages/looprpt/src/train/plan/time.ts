/** The time that a run will take and how often it will read its corpus, in words, with a remark where either is a lot. */
import { formatDuration } from '../../base/terminal/duration.js';
import { readManifest } from '../../data/shards/manifest.js';
import type { RunConfig } from '../run-config.js';

const DAY = 86_400;
/** Passes over a corpus that are still ordinary. */
const MANY_PASSES = 4;

/** How often the run reads its corpus; null where that has no end, or is a program's. */
export function passesOf({ data, batch, steps, epochs }: RunConfig): number | null {
  if (!('shards' in data)) return null;
  const { documents, tokens } = readManifest(data.shards).manifest.counts;
  const all = (steps * batch.rows * batch.accumulate * batch.sequenceLength) / Math.max(1, tokens - documents);
  return epochs === null ? all : Math.min(epochs, all);
}

export function passesRemark(config: RunConfig): string | null {
  const passes = passesOf(config);
  if (passes === null || passes <= MANY_PASSES) return null;
  return `the run reads its corpus ${passes.toFixed(1)} times; more than ${MANY_PASSES} passes mostly teach it by heart: fewer steps, a smaller model or more text`;
}

/** @param seconds of the whole run */
export function timeRemark(seconds: number): string | null {
  if (seconds <= DAY) return null;
  return `the run will take about ${formatDuration(seconds)}, more than a day: fewer steps, a smaller model, or a machine with more cores`;
}

/** What `--dry-run` says of time. @param stepSeconds null where it was not measured */
export function timeFacts(config: RunConfig, stepSeconds: number | null): [name: string, value: string][] {
  const passes = passesOf(config);
  const withRemark = (text: string, remark: string | null): string => (remark === null ? text : `${text}; ${remark}`);
  return [
    ...(stepSeconds === null
      ? []
      : [
          [
            'time',
            withRemark(
              `about ${formatDuration(stepSeconds * config.steps)}, ${stepSeconds.toFixed(stepSeconds < 1 ? 3 : 1)} s a step as measured here`,
              timeRemark(stepSeconds * config.steps),
            ),
          ] satisfies [string, string],
        ]),
    ...(passes === null
      ? []
      : [
          ['passes', withRemark(`${passes.toFixed(2)} over the corpus`, passesRemark(config))] satisfies [
            string,
            string,
          ],
        ]),
  ];
}
