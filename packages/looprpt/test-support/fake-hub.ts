/**
 * A Hub on 127.0.0.1 that serves models and data sets from memory: the requests that a download makes (which commit, which files, a
 * file's identity, its bytes), by the Hub's JavaScript library and by Python's. Never imported by the product.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface FakeModel {
  commit: string;
  files: Record<string, string | Uint8Array>;
  /** Answer to those who send no token. */
  gated?: boolean;
  /** What is sent in place of these files' own bytes. */
  damaged?: Record<string, string>;
}

export interface FakeHub {
  url: string;
  /** By `owner/name`; data sets by `datasets/owner/name`. */
  models: Record<string, FakeModel>;
  /** The tokens that came, each once. */
  tokens: Set<string>;
  /** "METHOD /path" of every request so far. */
  requests: string[];
  /** Refuses connections from here on. */
  close: () => Promise<void>;
}

/** To be called inside a test; ends with it. */
export async function fakeHub(models: Record<string, FakeModel>): Promise<FakeHub> {
  const hub: FakeHub = { url: '', models, tokens: new Set(), requests: [], close: async () => undefined };
  const server = createServer(async (request, response) => {
    hub.requests.push(`${request.method} ${request.url}`);
    const body = (await request.toArray()).join('');
    const { status, headers = {}, content } = answer(hub, request, body);
    response.writeHead(status, headers).end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  hub.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  hub.close = () =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  onTestFinished(() => hub.close());
  return hub;
}

interface Reply {
  status: number;
  headers?: OutgoingHttpHeaders;
  content: Uint8Array;
}

function answer(hub: FakeHub, request: IncomingMessage, body: string): Reply {
  const { pathname } = new URL(request.url!, hub.url);
  const path = pathname.replace(/^\/api\/models/, '').replace(/^\/api\/datasets/, '/datasets');
  const [, kind, owner, repo, action, revision, ...rest] = (
    path.startsWith('/datasets/') ? path : `/models${path}`
  ).split('/');
  const model = hub.models[kind === 'datasets' ? `datasets/${owner}/${repo}` : `${owner}/${repo}`];
  const { authorization } = request.headers;
  if (authorization !== undefined) hub.tokens.add(authorization.replace('Bearer ', ''));
  if (!model || (revision !== 'main' && revision !== model.commit)) return json(404, { error: 'not found' });
  if (model.gated && !authorization) return json(401, { error: 'Access is restricted' });
  if (model.gated && authorization === 'Bearer hf_stranger') return json(403, { error: 'Access is restricted' });
  switch (action) {
    case 'revision':
      return json(200, { _id: '1', id: `${owner}/${repo}`, sha: model.commit, siblings: siblings(model) });
    case 'tree':
      return json(
        200,
        Object.keys(model.files).map((name) => entry(model, name)),
      );
    case 'paths-info': {
      const asked = request.headers['content-type']?.includes('json')
        ? (JSON.parse(body) as { paths: string[] }).paths
        : new URLSearchParams(body).getAll('paths');
      return json(
        200,
        asked.filter((name) => Object.hasOwn(model.files, name)).map((name) => entry(model, name)),
      );
    }
    default:
      return file(request, model, rest.join('/'));
  }
}

function siblings({ files }: FakeModel): object[] {
  return Object.keys(files).map((rfilename) => ({ rfilename }));
}

/** As in the Hub's trees: large files have a SHA-256 besides git's hash. */
function entry({ files }: FakeModel, path: string): object {
  const content = Buffer.from(files[path]!);
  const plain = { type: 'file', path, size: content.length, oid: gitHash(content) };
  return isLarge(path)
    ? { ...plain, lfs: { oid: hash('sha256', content), size: content.length, pointerSize: 130 } }
    : plain;
}

function isLarge(path: string): boolean {
  return /\.(safetensors|parquet)$/.test(path);
}

function json(status: number, value: unknown): Reply {
  return { status, headers: { 'content-type': 'application/json' }, content: Buffer.from(JSON.stringify(value)) };
}

function hash(algorithm: string, content: Uint8Array): string {
  return createHash(algorithm).update(content).digest('hex');
}

function gitHash(content: Uint8Array): string {
  return hash('sha1', Buffer.concat([Buffer.from(`blob ${content.length}\0`), content]));
}

function file(request: IncomingMessage, model: FakeModel, name: string): Reply {
  const content = model.files[name];
  if (content === undefined) return json(404, { error: 'no such file' });
  const bytes = Buffer.from(content);
  const sent = Buffer.from(model.damaged?.[name] ?? bytes);
  const headers = {
    etag: `"${isLarge(name) ? hash('sha256', bytes) : gitHash(bytes)}"`,
    'content-type': 'text/plain',
    'x-repo-commit': model.commit,
  };
  if (request.method === 'HEAD')
    return { status: 200, headers: { ...headers, 'content-length': sent.length }, content: Buffer.alloc(0) };
  return request.headers.range === 'bytes=0-0'
    ? {
        status: 206,
        headers: { ...headers, 'content-range': `bytes 0-0/${sent.length}` },
        content: sent.subarray(0, 1),
      }
    : { status: 200, headers, content: sent };
}
