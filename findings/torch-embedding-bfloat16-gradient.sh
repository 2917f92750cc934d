#!/usr/bin/env bash
# PyTorch 2.15.0, CPU: the gradient of an embedding in bfloat16 stands still at 256 equal contributions; that of index_select does not.
#
# What one expects: a token that occurs 1,000 times in a batch, with a gradient of 1 each time, has the gradient 1,000 (which bfloat16
#   holds), or at least the same from the two ways to look up a row. Sums inside of an operator (sum, matmul, index_select's gradient) are
#   float32 and rounded once.
# What happens: nn.Embedding and weight[ids] (index_put with accumulate) round at every addition, so they give 256, silently: three quarters
#   of a frequent token's gradient are lost. index_select gives 1,000. (In libtorch 1.13 that one gives 256 too.)
# Seen (2026-11):
#   torch 2.15.0
#   embedding    256
#   weight[ids]  256
#   index_select 1000
#
# PYTHON=… takes an interpreter that has this torch; else it is installed into a temporary folder (about 3 GB). Exits with 1 if any
# number is another.
set -euo pipefail
want=2.15.0
python=${PYTHON:-}
if [ -z "$python" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  python3 -m venv "$folder/venv"
  "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "torch==$want" numpy==2.4.6
  python="$folder/venv/bin/python"
fi
"$python" - "$want" <<'PY'
import sys
import torch

assert torch.__version__.split("+")[0] == sys.argv[1], f"torch {torch.__version__}, not {sys.argv[1]}"
N = 1000
ids = torch.zeros(N, dtype=torch.int64)


def gradient(look_up):
    weight = torch.ones(1, 4, dtype=torch.bfloat16, requires_grad=True)
    look_up(weight).sum().backward()
    return set(weight.grad.flatten().tolist())


found = {
    "embedding": gradient(lambda w: torch.nn.functional.embedding(ids, w)),
    "weight[ids]": gradient(lambda w: w[ids]),
    "index_select": gradient(lambda w: w.index_select(0, ids)),
}
print("torch", torch.__version__.split("+")[0])
for name, values in found.items():
    print(f"{name:12}", *(f"{value:g}" for value in values))
changed = found != {"embedding": {256.0}, "weight[ids]": {256.0}, "index_select": {1000.0}}
print("changed since" if changed else "as described")
sys.exit(changed)
PY
