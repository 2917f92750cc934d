/**
 * A Hub on 127.0.0.1 that serves models from memory: the four requests that a download makes (which commit, which files,
 * a file's identity, its bytes). Never imported by the product.
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
}

export interface FakeHub {
  url: string;
  models: Record<string, FakeModel>;
  /** "METHOD /path" of every request so far. */
  requests: string[];
  /** Refuses connections from here on. */
  close: () => Promise<void>;
}

/** To be called inside a test; ends with it. */
export async function fakeHub(models: Record<string, FakeModel>): Promise<FakeHub> {
  const hub: FakeHub = { url: '', models, requests: [], close: async () => undefined };
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
  const [, owner, repo, action, revision, ...rest] = pathname.replace(/^\/api\/models/, '').split('/');
  const model = hub.models[`${owner}/${repo}`];
  if (!model || (revision !== 'main' && revision !== model.commit)) return json(404, { error: 'not found' });
  const { authorization } = request.headers;
  if (model.gated && !authorization) return json(401, { error: 'Access is restricted' });
  if (model.gated && authorization === 'Bearer hf_stranger') return json(403, { error: 'Access is restricted' });
  const entry = (path: string): object => {
    const content = Buffer.from(model.files[path]!);
    return { type: 'file', path, size: content.length, oid: sha1(content) };
  };
  switch (action) {
    case 'revision':
      return json(200, { _id: '1', id: `${owner}/${repo}`, sha: model.commit });
    case 'tree':
      return json(200, Object.keys(model.files).map(entry));
    case 'paths-info':
      return json(200, (JSON.parse(body) as { paths: string[] }).paths.map(entry));
    default:
      return file(request, model.files[rest.join('/')]);
  }
}

function json(status: number, value: unknown): Reply {
  return { status, headers: { 'content-type': 'application/json' }, content: Buffer.from(JSON.stringify(value)) };
}

function sha1(content: Uint8Array): string {
  return createHash('sha1').update(content).digest('hex');
}

function file(request: IncomingMessage, content: string | Uint8Array | undefined): Reply {
  if (content === undefined) return json(404, { error: 'no such file' });
  const bytes = Buffer.from(content);
  const headers = { etag: `"${sha1(bytes)}"`, 'content-type': 'text/plain' };
  return request.headers.range === 'bytes=0-0'
    ? {
        status: 206,
        headers: { ...headers, 'content-range': `bytes 0-0/${bytes.length}` },
        content: bytes.subarray(0, 1),
      }
    : { status: 200, headers, content: bytes };
}
