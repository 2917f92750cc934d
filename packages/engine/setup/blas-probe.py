"""The same as blas-probe.mjs for a Python's PyTorch: checks its matrix products and times one; prints {"right", "gflops"}.

Factors are whole numbers so small that every partial sum is exact, and the plain product is PyTorch's own of int64, which no
BLAS computes.
"""
import json
import os
import time

import torch

SHAPES = [(1, 1, 1), (7, 5, 3), (33, 65, 17), (1, 300, 129), (64, 64, 64), (129, 257, 70), (200, 513, 96)]
TIMED, RUNS = 512, 8


def right(dtype, generator):
    for m, k, n in SHAPES:
        a = torch.randint(-8, 9, (m, k), generator=generator)
        b = torch.randint(-8, 9, (k, n), generator=generator)
        want = (a[:, :, None] * b[None, :, :]).sum(1)
        a, b = a.to(dtype), b.to(dtype)
        turned_a, turned_b = a.t().contiguous().t(), b.t().contiguous().t()
        for x in (a, turned_a):
            for y in (b, turned_b):
                if not torch.equal((x @ y).double(), want.double()):
                    return False
    return True


def gflops():
    x = torch.full((TIMED, TIMED), 0.5)
    best = float("inf")
    for _ in range(RUNS):
        started = time.perf_counter()
        x @ x
        best = min(best, time.perf_counter() - started)
    return 2 * TIMED**3 / best / 1e9


ok = True
for threads in (1, max(2, os.cpu_count() or 2)):
    torch.set_num_threads(threads)
    ok = ok and all(right(dtype, torch.Generator().manual_seed(1)) for dtype in (torch.float32, torch.float64))
torch.set_num_threads(1)
print(json.dumps({"right": ok, "gflops": gflops() if ok else 0}))
