#!/usr/bin/env bash
# torch.distributed on Gloo: all_reduce with MAX or MIN loses a NaN of every rank but the first.
#
# Version:     torch 2.15.0 (Linux, CPU tensors, two processes on one machine).
# Expectation: a NaN anywhere makes the maximum NaN on all ranks, as torch.max and torch.maximum do, so that
#              "is the largest loss finite?" is a safe question to ask of a group.
# Behaviour:   with the NaN on rank 0 both ranks get NaN; with the NaN on rank 1 both get the other rank's number. SUM keeps it in
#              both cases. A check for overflow that reduces by MAX therefore sees one rank's NaN and misses the others'.
# Seen:
#   MAX, NaN on rank 0: nan nan        MAX, NaN on rank 1: 1.0 1.0
#   MIN, NaN on rank 0: nan nan        MIN, NaN on rank 1: 1.0 1.0
#   SUM, NaN on rank 0: nan nan        SUM, NaN on rank 1: nan nan
#
# Needs python3 and the Python index (several GB); works in a temporary folder. Exit code 1: it behaves otherwise now.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.15.0 numpy
cat > "$work/ranks.py" <<'PY'
import os, socket, sys
import torch, torch.distributed as dist, torch.multiprocessing as mp

def rank(number, port, folder):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    dist.init_process_group("gloo", rank=number, world_size=2)
    with open(f"{folder}/{number}", "w") as out:
        for name in ("MAX", "MIN", "SUM"):
            for holder in (0, 1):
                value = torch.tensor([float("nan") if number == holder else 1.0])
                dist.all_reduce(value, op=getattr(dist.ReduceOp, name))
                out.write(f"{name} {holder} {value.item()}\n")
    dist.destroy_process_group()

if __name__ == "__main__":
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(rank, args=(port, sys.argv[1]), nprocs=2)
    rows = zip(*(open(f"{sys.argv[1]}/{number}").read().split("\n")[:-1] for number in (0, 1)))
    seen = {}
    for first, second in rows:
        name, holder, value = first.split()
        seen[f"{name} {holder}"] = (value, second.split()[2])
        print(f"{name}, NaN on rank {holder}: {value} {second.split()[2]}")
    kept = {"MAX 0", "MIN 0", "SUM 0", "SUM 1"}
    expected = {key: ("nan", "nan") if key in kept else ("1.0", "1.0") for key in seen}
    sys.exit(0 if seen == expected else 1)
PY
mkdir "$work/out"
OMP_NUM_THREADS=1 "$work/venv/bin/python" "$work/ranks.py" "$work/out"
