/** Which folders are runs: those given, and those below them. */
import { existsSync, readdirSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { METRICS_FILE } from '../../train/metrics/metrics-log.js';
import { LOCK_FILE } from '../../train/state/run-lock.js';

const DEEPEST = 4;
const MOST = 2000;
/** Folders of a run, and of programs. */
const NO_RUNS: ReadonlySet<string> = new Set(['checkpoints', 'model', 'node_modules']);

export interface FoundRuns {
  paths: string[];
  /** What a reader should know, a sentence each. */
  lines: string[];
}

/** Whether a folder is that of a run, be it of one that has just begun. */
export function isRun(folder: string): boolean {
  return [METRICS_FILE, LOCK_FILE, 'checkpoints'].some((name) => existsSync(join(folder, name)));
}

/** The run folders at or below `roots`, each once, sorted by path within a root. What cannot be read is said, not thrown. */
export function findRuns(roots: readonly string[]): FoundRuns {
  const paths = new Set<string>();
  const lines: string[] = [];
  const visit = (folder: string, depth: number): void => {
    if (paths.size >= MOST) return;
    if (isRun(folder)) {
      paths.add(folder);
      return;
    }
    if (depth >= DEEPEST) return;
    for (const name of foldersIn(folder)) visit(join(folder, name), depth + 1);
  };
  for (const root of roots) {
    if (statOf(root)?.isDirectory()) visit(root, 0);
    else lines.push(`${root}: no such folder yet`);
  }
  if (paths.size >= MOST) lines.push(`more than ${MOST} runs: the first are shown; give the folders that matter`);
  if (paths.size === 0 && lines.length === 0) lines.push(`${roots.join(', ')}: no runs in there yet`);
  return { paths: [...paths], lines };
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => !name.startsWith('.') && !NO_RUNS.has(name) && statOf(join(folder, name))?.isDirectory())
      .sort();
  } catch {
    return [];
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
