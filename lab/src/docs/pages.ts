/** The repository's Markdown pages, and what tests read out of them. Nothing here renders: it finds code, links and headings. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));

/** Folders that hold nothing of ours, or what tests feed to readers. Nor do those whose names begin with a dot. */
const FOREIGN = ['node_modules', 'dist', 'build', 'runs', 'data', 'coverage', 'fixtures', '__pycache__'];

/** The files below a folder whose names end in one of `endings`, as paths from the repository's root, in order. */
export function filesBelow(folder: string, endings: readonly string[]): string[] {
  return readdirSync(join(REPOSITORY, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory())
        return entry.name.startsWith('.') || FOREIGN.includes(entry.name) ? [] : filesBelow(path, endings);
      return endings.some((ending) => entry.name.endsWith(ending)) ? [path] : [];
    })
    .sort();
}

export function read(path: string): string {
  return readFileSync(join(REPOSITORY, path), 'utf8');
}

export interface Code {
  text: string;
  /** A fenced or indented block is meant to be run; a phrase inside a sentence may leave things out. */
  isBlock: boolean;
  language: string;
}

const FENCE = /^ *(```+|~~~+) *([\w-]*)[^\n]*\n([\s\S]*?)^ *\1 *$/gm;

/** Blocks and inline code of a page. */
export function codeOf(page: string): Code[] {
  const blocks = [...page.matchAll(FENCE)].map(
    ([, , language, text]): Code => ({ text: text!, isBlock: true, language: language! }),
  );
  const rest = page.replace(FENCE, '');
  const indented = [...rest.matchAll(/^ {4}(?:npm|npx|node) .*$/gm)].map(
    ([text]): Code => ({ text: text.trim(), isBlock: true, language: '' }),
  );
  const inline = [...rest.matchAll(/(`+)([^`]+)\1/g)].map(
    ([, , text]): Code => ({ text: text!.replace(/\s+/g, ' '), isBlock: false, language: '' }),
  );
  return [...blocks, ...indented, ...inline];
}

/** What a page links to or shows, outside of code. */
export function linksOf(page: string): string[] {
  const prose = page.replace(FENCE, '').replace(/(`+)[^`]*?\1/g, '``');
  const inline = [...prose.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)].map(([, url]) => url!);
  const html = [...prose.matchAll(/<(?:img|a|source)\b[^>]*?(?:src|href|srcset)="([^"]+)"/g)].map(([, url]) => url!);
  const references = [...prose.matchAll(/^ {0,3}\[[^\]]+\]:\s*(\S+)/gm)].map(([, url]) => url!);
  return [...inline, ...html, ...references];
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  const taken = new Map<string, number>();
  for (const [, heading] of page.replace(FENCE, '').matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const anchor = heading!
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
      .replaceAll(' ', '-');
    const before = taken.get(anchor) ?? 0;
    taken.set(anchor, before + 1);
    anchors.add(before === 0 ? anchor : `${anchor}-${before}`);
  }
  for (const [, id] of page.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id!);
  return anchors;
}
