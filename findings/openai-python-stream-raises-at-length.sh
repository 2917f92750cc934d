#!/usr/bin/env bash
# openai 3.57.0 (Python): chat.completions.stream raises on every plain text that ends by max_tokens; the same call in Node does not.
#
# Version:     openai 3.57.0 from PyPI, openai 7.59.0 from npm; Python 3.11, Node 20.
# Expectation: a text that ends by its length is a text with finish_reason "length", from the helper as from create(stream=True); nothing
#              was asked to be parsed: no response_format, no tools.
# Behaviour:   in Python all events come, content.done too, and then LengthFinishReasonError, "Could not parse response content", ends the
#              loop; get_final_completion is out of reach. In Node finalContent and finalChatCompletion give the text.
# Seen:
#   Python, create(stream=True): one two
#   Python, stream(): LengthFinishReasonError after content.done
#   Node, stream(): one two
#
# Needs python3, node, npm and both registries; talks to a server of its own on this machine. Exit code 1: it behaves otherwise now.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check openai==3.57.0
npm init --yes > /dev/null
npm install --save-exact --no-audit --no-fund --loglevel error openai@7.59.0 > /dev/null
cat > node.mjs <<'JS'
import OpenAI from 'openai';
const client = new OpenAI({ baseURL: process.argv[2], apiKey: 'none', maxRetries: 0 });
const stream = client.chat.completions.stream({ model: 'm', messages: [{ role: 'user', content: 'hi' }], max_tokens: 2 });
console.log(await stream.finalContent());
JS
cat > ask.py <<'PY'
import json, subprocess, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import openai


def chunk(delta, finish):
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


CHUNKS = [chunk({"role": "assistant", "content": "one two"}, None), chunk({}, "length")]
BODY = "".join(f"data: {data}\n\n" for data in [*map(json.dumps, CHUNKS), "[DONE]"]).encode()


class Streams(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Streams)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"
client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
ask = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 2}


def helper():
    last = None
    try:
        with client.chat.completions.stream(**ask) as stream:
            for event in stream:
                last = event.type
            return stream.get_final_completion().choices[0].message.content
    except openai.OpenAIError as error:
        return f"{type(error).__name__} after {last}"


plain = "".join(one.choices[0].delta.content or "" for one in client.chat.completions.create(**ask, stream=True))
node = subprocess.run(["node", "node.mjs", url], check=True, capture_output=True, text=True).stdout.strip()
seen = [plain, helper(), node]
for what, text in zip(["Python, create(stream=True)", "Python, stream()", "Node, stream()"], seen):
    print(f"{what}: {text}")
sys.exit(seen != ["one two", "LengthFinishReasonError after content.done", "one two"])
PY
venv/bin/python ask.py
