/**
 * All runs of a studio: found, read bit by bit, looked at again and again. Runs that somebody looks at are read first; what is asked for
 * meanwhile is answered from what is there.
 */
import { resolve } from 'node:path';
import type { ThinRange } from '../../train/metrics/thinned/series.js';
import { type FoundRuns, findRuns } from './find.js';
import type { Readers } from './readers.js';
import { type RunCurves, type RunSummary, WatchedRun } from './run.js';

/** Bytes that are read in one go, between which questions are answered. */
const SLICE = 4 << 20;
const SEARCH_MS = 2000;

export class RunLibrary {
  readonly #roots: readonly string[];
  readonly #readers: Readers | null;
  readonly #runs = new Map<string, WatchedRun>();
  readonly #changed = new Set<string>();
  #wanted: readonly string[] = [];
  #lines: string[] = [];
  #searched = 0;

  /** @param roots run folders, and folders with runs below them @param readers for long files; null: all is read here */
  constructor(roots: readonly string[], readers: Readers | null = null) {
    this.#roots = roots;
    this.#readers = readers;
    this.search();
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  get summaries(): RunSummary[] {
    return [...this.#runs.values()].map(({ summary }) => summary);
  }

  run(id: string): WatchedRun | undefined {
    return this.#runs.get(id);
  }

  /** Looks for folders that came or went. @returns whether some did */
  search(): boolean {
    this.#searched = Date.now();
    const { paths, lines }: FoundRuns = findRuns(this.#roots);
    const there = new Map([...this.#runs.values()].map((run) => [run.path, run]));
    const found = paths.map((path) => there.get(resolve(path)) ?? this.#watch(path));
    const changed = found.length !== this.#runs.size || found.some(({ id }) => !this.#runs.has(id));
    this.#lines = lines;
    if (!changed) return false;
    this.#runs.clear();
    for (const run of found) {
      if (!there.has(run.path)) this.#changed.add(run.id);
      this.#runs.set(run.id, run);
    }
    return true;
  }

  /** Reads a slice of what has not been read, or has it read. @returns false where there is nothing to read that is not being read */
  work(): boolean {
    const readers = this.#readers;
    const wanted = this.#wanted.flatMap((id) => this.#runs.get(id) ?? []);
    for (const run of [...wanted, ...this.#runs.values()]) {
      if (run.isRead || (readers?.take(run, () => this.#read(run)) ?? false)) continue;
      this.#read(run);
      return true;
    }
    return false;
  }

  /** Resolves when a file that is being read by others is done, or its next part is; null where none is being read. */
  get elsewhere(): Promise<void> | null {
    return this.#readers?.next ?? null;
  }

  #read(run: WatchedRun): void {
    run.read(SLICE);
    this.#changed.add(run.id);
  }

  #watch(path: string): WatchedRun {
    return new WatchedRun(path, (metrics) => this.#readers?.kept.find(metrics) ?? null);
  }

  /** Looks at every run once more, for what was written since. @returns whether runs came or went */
  refresh(): boolean {
    const came = Date.now() - this.#searched > SEARCH_MS && this.search();
    for (const run of this.#runs.values()) {
      const news = run.isRead && run.read(SLICE);
      if (run.refresh({ news }) || news) this.#changed.add(run.id);
    }
    return came;
  }

  /** Looks whether one more checkpoint is whole. @returns false where all have been looked at */
  async check(): Promise<boolean> {
    for (const run of this.#runs.values())
      if (await run.check()) {
        this.#changed.add(run.id);
        return true;
      }
    return false;
  }

  /** Runs that changed since the last time. */
  takeChanges(): RunSummary[] {
    const summaries = [...this.#changed].flatMap((id) => this.#runs.get(id)?.summary ?? []);
    this.#changed.clear();
    return summaries;
  }

  curves(ids: readonly string[], columns: readonly string[], range: ThinRange): RunCurves[] {
    this.#wanted = ids;
    return ids.flatMap((id) => this.#runs.get(id)?.curves(columns, range) ?? []);
  }
}
