/** The settings of a run as they stand in a file, before the schema has seen them. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { LineCounter, parseDocument } from 'yaml';
import { UserError } from '../user-error.js';
import { assign, isGroup, type Settings } from './assign.js';

/** What a file holds at least, and the option that names it. */
const KINDS = {
  run: { needs: 'a run needs at least model, data, objective, out and steps', option: '--config' },
  mixture: { needs: 'a mixture needs parts, a list of sources', option: '--mixture' },
} as const;
type Kind = keyof typeof KINDS;

/**
 * Reads YAML (of which JSON is a part) and puts `--set key.path=value` into it.
 * @throws UserError with file and line
 */
export function readSettings(path: string, assignments: readonly string[] = [], kind: Kind = 'run'): Settings {
  const settings = parseSettings(path, readText(withShipped(path), kind), kind);
  for (const assignment of assignments) assign(settings, assignment);
  return settings;
}

function readText(path: string, kind: Kind): string {
  const takes = `${KINDS[kind].option} takes a YAML or JSON file (see recipes/)`;
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new UserError(`${path}: no such file; ${takes}`);
  if (found.isDirectory()) throw new UserError(`${path}: is a folder; ${takes}`);
  return readFileSync(path, 'utf8');
}

/** `recipes/NAME` means one that comes with the package, unless the working folder has it. */
function withShipped(path: string): string {
  const [, name] = /^(?:\.\/)?recipes\/([\w.-]+)$/.exec(path) ?? [];
  if (name === undefined || existsSync(path)) return path;
  const shipped = fileURLToPath(new URL(`../../../recipes/${name}`, import.meta.url));
  return existsSync(shipped) ? shipped : path;
}

function parseSettings(path: string, text: string, kind: Kind): Settings {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [error] = document.errors;
  if (error) {
    const { line, col } = lines.linePos(error.pos[0]);
    throw new UserError(`${path}:${line}:${col}: not YAML: ${error.message.replace(/\s+/g, ' ')}`);
  }
  const value = contentOf(path, document);
  if (value === null) throw new UserError(`${path}: is empty; ${KINDS[kind].needs}`);
  if (!isGroup(value) || Array.isArray(value))
    throw new UserError(`${path}: must be keys with values, such as "steps: 100"`);
  return value;
}

/** Aliases are followed only now, when all anchors are known. */
function contentOf(path: string, document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw new UserError(`${path}: not usable YAML: ${(error as Error).message}`);
  }
}
