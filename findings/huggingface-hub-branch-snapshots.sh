#!/usr/bin/env bash
# @huggingface/hub 2.17.5 (npm): files that are fetched into the cache by a branch's name land in a snapshot each, under the commit that
# last changed them, and no ref is written.
#
# What one expects: the layout is that of Python's cache, where refs/<branch> names a commit and snapshots/<commit>/ holds all of its
#   files. So a model that was fetched file by file lies in one folder, and huggingface_hub finds it offline.
# What happens: the snapshot's name is the last commit of the file, not of the branch. A tokenizer that is older than its weights lies in
#   another folder, every file is there, and no folder is a model. Python, told to stay offline, finds none. With a full commit as the
#   revision all is well: ask which commit the branch is first.
# Seen (2026-11):
#   by branch  snapshots: 2, refs: 0
#   by commit  snapshots: 1, refs: 0
#
# Needs node, npm and the npm index; a stand-in for the Hub runs in the script. Exits with 1 if any number is another.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --ignore-scripts @huggingface/hub@2.17.5 >/dev/null
cat > fetch.mjs <<'JS'
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { downloadFileToCacheDir } from '@huggingface/hub';

console.debug = () => undefined;
const head = 'a'.repeat(40);
// Both files are part of the branch's newest commit; the tokenizer was changed last in an older one.
const files = {
  'config.json': { text: '{"a": 1}', changed: head },
  'tokenizer.json': { text: '{"b": 2}', changed: 'b'.repeat(40) },
};
const sha1 = (text) => createHash('sha1').update(`blob ${text.length}\0${text}`).digest('hex');
const server = createServer(async (request, response) => {
  const body = (await request.toArray()).join('');
  if (request.url.includes('/paths-info/')) {
    const described = JSON.parse(body).paths.map((path) => ({
      type: 'file',
      path,
      size: files[path].text.length,
      oid: sha1(files[path].text),
      lastCommit: { id: files[path].changed, title: 'a change', date: '2026-01-01T00:00:00Z' },
    }));
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(described));
    return;
  }
  const { text } = files[request.url.split('/').at(-1)];
  const etag = `"${sha1(text)}"`;
  if (request.headers.range === 'bytes=0-0')
    response.writeHead(206, { etag, 'content-range': `bytes 0-0/${text.length}` }).end(text[0]);
  else response.writeHead(200, { etag }).end(text);
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const hubUrl = `http://127.0.0.1:${server.address().port}`;
for (const [name, revision] of [['branch', 'main'], ['commit', head]]) {
  const cacheDir = `cache-${name}`;
  for (const path of Object.keys(files))
    await downloadFileToCacheDir({ repo: { type: 'model', name: 'owner/model' }, path, revision, cacheDir, hubUrl });
  const folder = `${cacheDir}/models--owner--model`;
  const refs = existsSync(`${folder}/refs`) ? readdirSync(`${folder}/refs`).length : 0;
  console.log(`by ${name}  snapshots: ${readdirSync(`${folder}/snapshots`).length}, refs: ${refs}`);
}
server.close();
JS
found=$(node fetch.mjs); echo "$found"
if [ "$found" = $'by branch  snapshots: 2, refs: 0\nby commit  snapshots: 1, refs: 0' ]; then echo "as described"; else echo "changed since"; exit 1; fi
