/**
 * The page that the server shows to people: one HTML document, its style sheets and a few modules, all from this server and
 * none from elsewhere; the content policy forbids anything else, inline scripts and frames included.
 *
 * Needs no API key, because the page is what asks for it. Knows nothing of the server's framework.
 */
import { type PageFile, pageDocument, pageModules, pageStyles } from './files.js';

export type { PageFile } from './files.js';

const HERE = 'serve/page/';

let files: ReadonlyMap<string, PageFile> | undefined;

/**
 * What lies at a path of the server: the page at `/`, its parts below `/page/`.
 * @returns null where the page has nothing
 * @example
 * app.get('/page/*', (c) => { const file = page(c.req.path); return file ? c.body(file.body, 200, file.headers) : c.notFound(); })
 */
export function page(path: string): PageFile | null {
  files ??= new Map([
    ['/', pageDocument(`${HERE}index.html`)],
    ...pageStyles(`${HERE}style/`, '/page/style/'),
    ...pageModules(['eval/report/figures/palette.js', `${HERE}client/`]),
  ]);
  return files.get(path) ?? null;
}
