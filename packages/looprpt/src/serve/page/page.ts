/**
 * The page that the server shows to people: one HTML document, its style sheets and a few modules, all from this server and
 * none from elsewhere; the content policy forbids anything else, inline scripts and frames included.
 *
 * Below `/page/` paths are those of the compiled sources, so that the modules' own imports hold. Needs no API key, because
 * the page is what asks for it. Knows nothing of the server's framework.
 */
import { readdirSync, readFileSync } from 'node:fs';

export interface PageFile {
  body: string;
  headers: Readonly<Record<string, string>>;
}

// The package's own folders: the same places from the sources and from what is compiled of them.
const SOURCES = new URL('../../../src/', import.meta.url);
const COMPILED = new URL('../../../dist/', import.meta.url);
const HERE = 'serve/page/';

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  // The names have no version in them: ask each time.
  'cache-control': 'no-cache',
};

let files: ReadonlyMap<string, PageFile> | undefined;

/**
 * What lies at a path of the server: the page at `/`, its parts below `/page/`.
 * @returns null where the page has nothing
 * @example
 * app.get('/page/*', (c) => { const file = page(c.req.path); return file ? c.body(file.body, 200, file.headers) : c.notFound(); })
 */
export function page(path: string): PageFile | null {
  files ??= readPage();
  return files.get(path) ?? null;
}

function readPage(): Map<string, PageFile> {
  const file = (root: URL, path: string, type: string): PageFile => ({
    body: readFileSync(new URL(path, root), 'utf8'),
    headers: { ...HEADERS, 'content-type': `${type}; charset=utf-8` },
  });
  const styles = readdirSync(new URL(`${HERE}style/`, SOURCES));
  const modules = readdirSync(new URL(`${HERE}client/`, COMPILED)).filter((name) => name.endsWith('.js'));
  return new Map([
    ['/', file(SOURCES, `${HERE}index.html`, 'text/html')],
    ...styles.map((name): [string, PageFile] => [
      `/page/style/${name}`,
      file(SOURCES, `${HERE}style/${name}`, 'text/css'),
    ]),
    ...['eval/report/figures/palette.js', ...modules.map((name) => `${HERE}client/${name}`)].map(
      (path): [string, PageFile] => [`/page/${path}`, file(COMPILED, path, 'text/javascript')],
    ),
  ]);
}
