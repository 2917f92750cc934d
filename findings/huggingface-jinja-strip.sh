#!/usr/bin/env bash
# @huggingface/jinja 0.5.11 (npm): strip, lstrip and rstrip ignore the characters that they are given, and take all white space. No error.
#
# What one expects: the library exists to render the chat templates of transformers, where 'text'.lstrip('\n') takes line breaks alone.
#   Qwen3's template cuts an earlier answer at </think> and writes the rest with .lstrip('\n').
# What happens: an answer that begins with indented code, or a thought with leading blanks, loses its indentation: another prompt, other
#   token ids than in training, and only for such texts, so that a comparison on plain sentences finds no difference.
# Seen (2026-11), the same template by both:
#   jinja2 3.1.6               [    x = 1] [a] [  b  ]
#   @huggingface/jinja 0.5.11  [x = 1] [--a--] [b]
#
# Needs node, npm, python3 and both package indexes; works in a temporary folder. Exits with 1 if any of the texts is another.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
cd "$work"
cat > template.txt <<'JINJA'
[{{ ('<think>why</think>\n\n    x = 1').split('</think>')[-1].lstrip('\n') }}] [{{ '--a--'.strip('-') }}] [{{ '\n  b  \n'.strip('\n') }}]
JINJA

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check jinja2==3.1.6
python_says=$(venv/bin/python - <<'PY'
from jinja2.sandbox import ImmutableSandboxedEnvironment
environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
print(environment.from_string(open("template.txt").read()).render())
PY
)

npm init --yes >/dev/null
npm install --silent --ignore-scripts @huggingface/jinja@0.5.11 >/dev/null
cat > render.mjs <<'JS'
import { readFileSync } from 'node:fs';
import { Template } from '@huggingface/jinja';
console.log(new Template(readFileSync('template.txt', 'utf8')).render({}));
JS
node_says=$(node render.mjs)

echo "jinja2 3.1.6               $python_says"
echo "@huggingface/jinja 0.5.11  $node_says"
if [ "$python_says" = '[    x = 1] [a] [  b  ]' ] && [ "$node_says" = '[x = 1] [--a--] [b]' ]; then echo "as described"; else echo "changed since"; exit 1; fi
