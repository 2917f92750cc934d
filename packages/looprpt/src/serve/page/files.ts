/**
 * Files of a page as they are sent: its document, its style sheets and its modules, each with the headers that forbid whatever does
 * not come from this server. Read once; knows nothing of the server's framework.
 *
 * Below `/page/` paths are those of the compiled sources, so that the modules' own imports hold.
 */
import { readdirSync, readFileSync } from 'node:fs';

export interface PageFile {
  body: string;
  headers: Readonly<Record<string, string>>;
}

// The package's own folders: the same places from the sources and from what is compiled of them.
const SOURCES = new URL('../../../src/', import.meta.url);
const COMPILED = new URL('../../../dist/', import.meta.url);

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
];

const HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  // The names have no version in them: ask each time.
  'cache-control': 'no-cache',
};

/** @param policy directives that take the place of those of the same name */
export function pageHeaders(type: string, policy: readonly string[] = []): Record<string, string> {
  const named = (directive: string): string => directive.split(' ')[0]!;
  const changed = new Set(policy.map(named));
  const all = [...POLICY.filter((directive) => !changed.has(named(directive))), ...policy];
  return { 'content-security-policy': all.join('; '), ...HEADERS, 'content-type': `${type}; charset=utf-8` };
}

/** A page's document, by the path of its source below src/. */
export function pageDocument(path: string, policy: readonly string[] = []): PageFile {
  return { body: readFileSync(new URL(path, SOURCES), 'utf8'), headers: pageHeaders('text/html', policy) };
}

/** The style sheets of a folder below src/, by where they are sent. */
export function pageStyles(folder: string, prefix: string): [string, PageFile][] {
  return readdirSync(new URL(folder, SOURCES)).map((name) => [
    `${prefix}${name}`,
    { body: readFileSync(new URL(`${folder}${name}`, SOURCES), 'utf8'), headers: pageHeaders('text/css') },
  ]);
}

/** Compiled modules below dist/, by where they are sent. @param paths of files, or of folders, which end in a slash */
export function pageModules(paths: readonly string[]): [string, PageFile][] {
  const files = paths.flatMap((path) =>
    path.endsWith('/')
      ? readdirSync(new URL(path, COMPILED))
          .filter((name) => name.endsWith('.js'))
          .map((name) => path + name)
      : [path],
  );
  return files.map((path) => [
    `/page/${path}`,
    { body: readFileSync(new URL(path, COMPILED), 'utf8'), headers: pageHeaders('text/javascript') },
  ]);
}
