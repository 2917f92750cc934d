"""Seconds per whole training step (forward, backward, clipping, AdamW, EMA teacher) of a random model.

Every mode has a process of its own, which gives a clean peak RSS; the processes take turns step by step, so that a
change in the machine's speed hits all modes alike. Only one works at a time. The last line printed is one JSON object;
there other_cores_busy is the number of cores that other programs kept busy during the measured steps: if it is not
near 0, the seconds are too long, and min_cpu_s (CPU seconds of all threads) is the steadier figure.

    python3 bench_train.py --hidden 192 --layers 4 --heads 4 --ffn 512 --vocab 512 --batch 16 --seq 128
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import time

import benchenv

DEFAULT_MODES = 'stage1,uniform-ce,looprpt-hard-gate,looprpt-hard-backbone,looprpt-full-gate,looprpt-full-backbone'


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in dict(hidden=192, layers=4, heads=4, ffn=512, vocab=512, loops=4, batch=16, seq=128, threads=2,
                            reps=5, warmup=1, rollouts=8, seed=0).items():
        p.add_argument('--' + name, type=int, default=value)
    p.add_argument('--rho', type=float, default=0.2, help='fraction of hard tokens')
    p.add_argument('--modes', default=DEFAULT_MODES, help='comma-separated; default: all')
    p.add_argument('--foreach', type=int, default=1, help='AdamW(foreach=...)')
    p.add_argument('--share-first-loop', type=int, default=1, help='full rollouts start after loop 1 (exact)')
    p.add_argument('--plain-env', action='store_true', help='only thread counts and the passive wait policy')
    p.add_argument('--autocast', action='store_true', help='bfloat16 autocast: float32 weights, products in bfloat16')
    p.add_argument('--compile', action='store_true', help='torch.compile of a layer and of the head')
    p.add_argument('--attention', choices=('sdpa', 'products'), default='sdpa',
                   help='PyTorch 2: the fused operator or plain products and a softmax')
    p.add_argument('--model', help='checkpoint folder instead of a random model of the given shape')
    p.add_argument('--tokens', help='file of int32, steps x batch x (seq + 1) token ids, instead of random ones')
    p.add_argument('--worker', help='be the process of one mode: a step for each line on stdin, a line of JSON for each step')
    return p.parse_args()


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024                 # KiB on Linux


def busy():
    """Seconds of CPU that the whole machine has used (0 where /proc/stat does not exist)."""
    try:
        f = [int(x) for x in open('/proc/stat').readline().split()[1:9]]
        return (sum(f) - f[3] - f[4]) / os.sysconf('SC_CLK_TCK')
    except OSError:
        return 0.0


def batches(a):
    """Endless (batch, seq + 1) ids: random, or those of the file over and over."""
    import numpy as np
    import torch
    if not a.tokens:
        while True:
            yield torch.randint(a.vocab, (a.batch, a.seq + 1))
    steps = np.fromfile(a.tokens, '<i4').reshape(-1, a.batch, a.seq + 1)
    while True:
        for step in steps:
            yield torch.from_numpy(step.astype(np.int64))


def worker(a):
    benchenv.restart(a.threads, not a.plain_env)                 # nothing to do where main() started the worker
    import torch
    torch.set_num_threads(a.threads)
    torch.set_flush_denormal(True)
    reply = lambda **kw: print(json.dumps(kw), flush=True)
    if a.worker == 'sgemm':
        shapes = ((2048, 1024, 1024), (a.batch * a.seq, a.hidden, a.ffn))
        for _ in sys.stdin:
            reply(gflops=benchenv.sgemm_gflops(shapes), torch=torch.__version__, threads=torch.get_num_threads(),
                  env=benchenv.shown())
        return
    import looprpt
    import ouro
    from looprpt import Trainer
    from ouro import OuroConfig, OuroForCausalLM
    if a.attention == 'products':
        ouro.HAS_SDPA = False
    before = peak_mb()
    torch.manual_seed(a.seed)
    model = OuroForCausalLM.load(a.model) if a.model else OuroForCausalLM(OuroConfig(
        vocab_size=a.vocab, hidden_size=a.hidden, intermediate_size=a.ffn, num_hidden_layers=a.layers,
        num_attention_heads=a.heads, total_ut_steps=a.loops))
    trainer = Trainer(model, a.worker, foreach=bool(a.foreach), rho=a.rho, G=a.rollouts,
                      share_first_loop=bool(a.share_first_loop))
    if a.compile:
        # one program a layer, with and without gradients and kept states: past the limit they would run uncompiled
        limits = torch._dynamo.config
        setattr(limits, 'recompile_limit' if hasattr(limits, 'recompile_limit') else 'cache_size_limit', 256)
        for m in (model, trainer.teacher):
            for layer in m.model.layers if m is not None else ():
                layer.forward = torch.compile(layer.forward)
        looprpt.token_logp = torch.compile(looprpt.token_logp)
    def step(ids, target):
        with torch.autocast('cpu', torch.bfloat16, enabled=a.autocast):
            return trainer.step(ids, target)
    for _, batch in zip(sys.stdin, batches(a)):                  # one line, one step
        ids, target = batch[:, :-1].contiguous(), batch[:, 1:].contiguous()
        t, c, b = time.perf_counter(), time.process_time(), busy()
        loss, parts = step(ids, target)
        t, c, b = time.perf_counter() - t, time.process_time() - c, busy() - b
        reply(seconds=t, cpu=c, others=max(0.0, (b - c) / t), loss=loss, parts=parts, rss=peak_mb(), rss_import=before,
              parameters=sum(p.numel() for p in model.parameters()))


def main():
    a = arguments()
    if a.worker:
        return worker(a)
    modes = a.modes.split(',')
    env = dict(benchenv.environment(a.threads, not a.plain_env), PEER_BENCH='1')
    start = lambda mode: subprocess.Popen([sys.executable, *sys.argv, '--worker', mode], stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, text=True, env=env)

    def ask(p):
        p.stdin.write('\n')
        p.stdin.flush()
        line = p.stdout.readline()
        return json.loads(line) if line else sys.exit('a worker ended early (out of memory?)')

    gemm = start('sgemm')
    rates = [ask(gemm)]
    workers = {m: start(m) for m in modes}
    times, cpu, others, last = ({m: [] for m in modes} for _ in range(4))
    for r in range(a.warmup + a.reps):
        for m in modes[r % len(modes):] + modes[:r % len(modes)]:
            last[m] = ask(workers[m])
            if r >= a.warmup:
                times[m].append(last[m]['seconds'])
                cpu[m].append(last[m]['cpu'])
                others[m].append(last[m]['others'])
        print('warm-up' if r < a.warmup else f'rep {r - a.warmup + 1}',
              ' '.join(f"{m} {last[m]['seconds']:.3f}" for m in modes), file=sys.stderr, flush=True)
    rates.append(ask(gemm))
    for p in [gemm, *workers.values()]:
        p.stdin.close()
        p.wait()
    out = {}
    for m in modes:
        s = sorted(times[m])
        med = (s[len(s) // 2] + s[(len(s) - 1) // 2]) / 2
        out[m] = dict(median_s=round(med, 4), min_s=round(s[0], 4), max_s=round(s[-1], 4), min_cpu_s=round(min(cpu[m]), 4),
                      other_cores_busy=round(sum(others[m]) / len(others[m]), 2),
                      tokens_per_s=round(a.batch * a.seq / med, 1), peak_rss_mb=round(last[m]['rss'], 1),
                      loss=round(last[m]['loss'], 4))
        print(f"{m:24s} median {med:8.4f} s  min {s[0]:8.4f} s  {a.batch * a.seq / med:9.1f} tokens/s  "
              f"peak RSS {last[m]['rss']:7.0f} MB  others {out[m]['other_cores_busy']:.2f} cores")
    any_ = next(iter(last.values()))
    print(json.dumps(dict(
        bench='train', modes=out, parameters=any_['parameters'], rss_after_import_mb=round(any_['rss_import'], 1),
        **{k: getattr(a, k) for k in ('hidden', 'layers', 'heads', 'ffn', 'vocab', 'loops', 'batch', 'seq', 'rollouts',
                                      'rho', 'reps', 'warmup', 'foreach', 'share_first_loop')},
        torch=rates[0]['torch'], threads=rates[0]['threads'], sgemm_gflops_before=rates[0]['gflops'],
        sgemm_gflops_after=rates[1]['gflops'], env=rates[0]['env'])))


if __name__ == '__main__':
    main()
