#!/usr/bin/env bash
# litellm 1.110.2: an error's code context_length_exceeded does not make a ContextWindowExceededError; certain words in its message do.
#
# Version:     litellm 1.110.2 (its provider openai/, Python 3.11).
# Expectation: an OpenAI-compatible server that answers 400 with {"error": {"code": "context_length_exceeded", …}}, which is the code
#              that OpenAI documents for this case, is understood: fallbacks for long prompts hang on that exception.
# Behaviour:   the code is not looked at. With other words the user gets a plain BadRequestError and no fallback; with "this model's
#              maximum context length is" in the message he gets ContextWindowExceededError, and without any code as well.
# Seen:
#   code, other words: BadRequestError
#   code, OpenAI's words: ContextWindowExceededError
#   OpenAI's words, no code: ContextWindowExceededError
#
# Needs python3 and the Python index; talks to a server of its own on this machine. Exit code 1: it behaves otherwise now.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check litellm==1.110.2
cat > "$work/ask.py" <<'PY'
import json, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import litellm

OTHER = "the prompt has 3000 tokens, and 2048 are the most"
KNOWN = "this model's maximum context length is 2048 tokens; the prompt has 3000"
answer = {}


class Refuses(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps({"error": {"type": "invalid_request_error", "param": "messages", **answer}}).encode()
        self.send_response(400)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Refuses)
threading.Thread(target=server.serve_forever, daemon=True).start()


def seen(message, code):
    answer.update(message=message, code=code)
    try:
        litellm.completion(
            model="openai/m",
            messages=[{"role": "user", "content": "hello"}],
            api_base=f"http://127.0.0.1:{server.server_port}/v1",
            api_key="none",
            num_retries=0,
        )
    except Exception as error:
        return type(error).__name__


rows = {
    "code, other words": seen(OTHER, "context_length_exceeded"),
    "code, OpenAI's words": seen(KNOWN, "context_length_exceeded"),
    "OpenAI's words, no code": seen(KNOWN, None),
}
for what, name in rows.items():
    print(f"{what}: {name}")
sys.exit(list(rows.values()) != ["BadRequestError", "ContextWindowExceededError", "ContextWindowExceededError"])
PY
LITELLM_LOCAL_MODEL_COST_MAP=True "$work/venv/bin/python" "$work/ask.py" 2> /dev/null | grep -v -e '^$' -e LiteLLM -e Feedback
