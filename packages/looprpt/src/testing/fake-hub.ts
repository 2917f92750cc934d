/**
 * A Hub on 127.0.0.1 that serves models from memory: the four requests that a download makes (which commit, which files,
 * a file's identity, its bytes). Never imported by the product.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
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
  const server = createServer((request, response) => {
    hub.requests.push(`${request.method} ${request.url}`);
    answer(hub, request, response);
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

function answer(hub: FakeHub, request: IncomingMessage, response: ServerResponse): void {
  const { pathname } = new URL(request.url!, hub.url);
  const [, owner, repo, action, revision, ...rest] = pathname.replace(/^\/api\/models/, '').split('/');
  const model = hub.models[`${owner}/${repo}`];
  if (!model || (revision !== 'main' && revision !== model.commit)) return send(response, 404, { error: 'not found' });
  if (model.gated && !request.headers.authorization) return send(response, 401, { error: 'Access is restricted' });
  if (model.gated && request.headers.authorization === 'Bearer hf_stranger') return send(response, 403, { error: 'no' });
  const entry = (path: string): object => ({
    type: 'file',
    path,
    size: Buffer.from(model.files[path]!).length,
    oid: createHash('sha1').update(model.files[path]!).digest('hex'),
  });
  if (action === 'revision') return send(response, 200, { _id: '1', id: `${owner}/${repo}`, sha: model.commit });
  if (action === 'tree') return send(response, 200, Object.keys(model.files).map(entry));
  if (action === 'resolve') return sendFile(request, response, model.files[rest.join('/')]);
  let body = '';
  request.on('data', (chunk: Buffer) => {
    body += chunk.toString();
  });
  request.on('end', () => send(response, 200, (JSON.parse(body) as { paths: string[] }).paths.map(entry)));
}

function send(response: ServerResponse, status: number, json: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
}

function sendFile(request: IncomingMessage, response: ServerResponse, content: string | Uint8Array | undefined): void {
  if (content === undefined) return send(response, 404, { error: 'no such file' });
  const bytes = Buffer.from(content);
  const headers = { etag: `"${createHash('sha1').update(bytes).digest('hex')}"`, 'content-type': 'text/plain' };
  if (request.headers.range === 'bytes=0-0')
    response.writeHead(206, { ...headers, 'content-range': `bytes 0-0/${bytes.length}` }).end(bytes.subarray(0, 1));
  else response.writeHead(200, { ...headers, 'content-length': bytes.length }).end(bytes);
}
