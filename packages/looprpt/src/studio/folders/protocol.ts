/** What the thread that reads run folders is asked, and what it tells. */

import type { ThinRange } from '../../train/metrics/thinned/series.js';
import type { RunSummary } from './run.js';

export interface RunsQuestion extends ThinRange {
  ids: readonly string[];
  columns: readonly string[];
}

export type RunsAnswers = {
  list: { input: null; value: RunList };
  /** JSON, so that the server's thread need not make it. */
  curves: { input: RunsQuestion; value: string };
};

export interface RunList {
  runs: RunSummary[];
  /** About the folders as a whole. */
  lines: string[];
}

/** Sent at most a few times a second. `all`: runs came or went, and these are all there are. */
export type RunsNews = { all: true; list: RunList } | { all: false; runs: RunSummary[] };
