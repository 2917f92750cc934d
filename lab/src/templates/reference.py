"""Renders chats as transformers does. Reads one JSON from standard input, writes one to standard output; see reference.ts."""
import json
import sys

import jinja2
import transformers
from transformers.utils.chat_template_utils import render_jinja_template

given = json.load(sys.stdin)
rendered = []
for case in given["cases"]:
    try:
        texts, _ = render_jinja_template(
            conversations=[case["messages"]],
            chat_template=given["templates"][case["template"]],
            **given["tokens"],
            **case["variables"],
        )
        rendered.append({"text": texts[0]})
    except Exception as error:
        rendered.append({"error": f"{type(error).__name__}: {error}"[:200]})
json.dump({"versions": f"transformers {transformers.__version__}, jinja2 {jinja2.__version__}", "rendered": rendered}, sys.stdout)
