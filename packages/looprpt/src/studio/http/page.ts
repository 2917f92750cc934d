/**
 * The studio's page: a document, its style sheets and modules, the plotting library that the report draws with, and the modules of the
 * chat page and of the report that it shares. All from this server; nothing from elsewhere.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type PageFile, pageDocument, pageHeaders, pageModules, pageStyles } from '../../serve/page/files.js';
import { page as chatPage } from '../../serve/page/page.js';

const HERE = 'studio/page/';
/** Figures are shown as pictures, and the chat page in a frame of its own. */
const POLICY = ["frame-src 'self'", 'img-src data: blob:'];
const CHAT_POLICY = ["frame-ancestors 'self'"];

let files: ReadonlyMap<string, PageFile> | undefined;

/** What lies at a path of the studio; null where it has nothing there. */
export function studioPage(path: string): PageFile | null {
  files ??= new Map([
    ['/', pageDocument(`${HERE}index.html`, POLICY)],
    ['/chat', pageDocument('serve/page/index.html', CHAT_POLICY)],
    ...pageStyles(`${HERE}style/`, '/studio/style/'),
    ...pageModules(['eval/report/figures/standalone.js', `${HERE}client/`]),
    ...plotting(),
  ]);
  return files.get(path) ?? (path === '/' ? null : chatPage(path));
}

/** The library and what it is built on, as programs for a browser; they come with this package's dependencies. */
function plotting(): [string, PageFile][] {
  const plot = createRequire(import.meta.url).resolve('@observablehq/plot');
  const d3 = createRequire(plot).resolve('d3');
  return [
    ['/lib/d3.js', script(join(dirname(d3), 'd3.min.js'))],
    ['/lib/plot.js', script(join(dirname(plot), '../dist/plot.umd.min.js'))],
  ];
}

function script(path: string): PageFile {
  return { body: readFileSync(path, 'utf8'), headers: pageHeaders('text/javascript') };
}
