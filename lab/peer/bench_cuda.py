"""The peer's worker in the CUDA benchmark (npm run bench:cuda): whole training steps in bfloat16 on a device.

One argument, a JSON object (lab/src/bench/cuda/job.ts). A line on stdin is answered with a line of JSON:
'step' with a step, 'memory' with the peak of the device's memory.

bfloat16 weights and activations; losses and softmaxes in float32; float32 master weights for AdamW (fused where the device
has it) and a float32 average for the EMA teacher. Where asked, loops are checkpointed and the layers compiled. Logits of the
head are always checkpointed in chunks: those of all loops would not fit.
"""
import json
import math
import resource
import sys
import time

import benchenv

P, A, B, C = 2147483647, 48271, 69621, 1299709
HEAD_ELEMENTS = 1 << 27


def synthetic(model, std):
    """The weights that the other side makes by the same formula (lab/src/bench/cuda/synthetic.ts)."""
    import torch
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() < 2:
                p.fill_(1.0 if name.endswith('norm.weight') or 'layernorm' in name else 0.0)
                continue
            number = 0
            for i, c in enumerate(name):
                number = (number + (i + 1) * ord(c)) % 65521
            i = torch.arange(p.numel(), device=p.device)
            x = torch.remainder(i * i, P).mul(A).add(i * B).add(C * number)
            x = torch.remainder(x, P).to(torch.float32).mul(1 / P).sub(0.5).mul(2 * math.sqrt(3)).mul(std)
            p.copy_(x.view(p.shape))


def chunked_head(looprpt):
    """token_logp in float32, in chunks whose logits are made again in the backward pass."""
    import torch
    import torch.nn.functional as F
    from torch.utils.checkpoint import checkpoint

    def chunk(h, w, target):
        return -F.cross_entropy(F.linear(h, w).float(), target, reduction='none')

    def token_logp(model, h, target):
        w = model.lm_head.weight
        rows, flat = h.flatten(0, -2), target.flatten()
        n = max(64, HEAD_ELEMENTS // w.shape[0])
        out = [checkpoint(chunk, x, w, t, use_reentrant=False) if torch.is_grad_enabled() else chunk(x, w, t)
               for x, t in zip(rows.split(n), flat.split(n))]
        return torch.cat(out).view(target.shape)
    looprpt.token_logp = token_logp


def half_trainer(looprpt, model, mode, device):
    import torch

    class HalfTrainer(looprpt.Trainer):
        """Trainer with float32 masters of bfloat16 weights."""
        def __init__(self):
            super().__init__(model, mode)
            self.params = list(model.parameters())
            self.masters = [p.detach().float() for p in self.params]
            kw = {'fused': True} if device.type == 'cuda' else {}
            self.opt = torch.optim.AdamW(self.masters, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.0, **kw)
            self.average = [p.detach().float() for p in self.teacher.parameters()] if self.teacher is not None else None

        def step(self, ids, target):
            loss_of = {'stage1': looprpt.stage1_loss, 'uniform-ce': looprpt.uniform_ce_loss}.get(self.objective)
            loss, info = (loss_of(model, ids, target, None, self.c) if loss_of else
                          looprpt.looprpt_loss(model, self.teacher, ids, target, None, self.c))
            for p in self.params:
                p.grad = None
            loss.backward()
            for m, p in zip(self.masters, self.params):
                m.grad = None if p.grad is None else p.grad.float()
                p.grad = None
            torch.nn.utils.clip_grad_norm_(self.masters, self.clip)
            self.opt.step()
            self.opt.zero_grad(set_to_none=True)
            with torch.no_grad():
                for m, p in zip(self.masters, self.params):
                    p.copy_(m)
                if self.average is not None:
                    for a, t, p in zip(self.average, self.teacher.parameters(), self.params):
                        a.lerp_(p.float(), 1 - self.c.ema)
                        t.copy_(a)
            return loss.item(), {k: float(v) for k, v in info.items()}
    return HalfTrainer()


def main():
    job = json.loads(sys.argv[1])
    benchenv.restart(job['threads'])
    import numpy as np
    import torch

    import looprpt
    import ouro
    torch.set_num_threads(job['threads'])
    device = torch.device(job['device'])
    if device.type == 'cuda':
        if not torch.cuda.is_available():
            sys.exit('this PyTorch has no CUDA device')
        torch.cuda.set_device(device)
    m, b = job['model'], job['batch']
    config = ouro.OuroConfig(vocab_size=m['vocab'], hidden_size=m['hidden'], intermediate_size=m['ffn'],
                             num_hidden_layers=m['layers'], num_attention_heads=m['heads'])
    with torch.device(device) if hasattr(torch.device, '__enter__') else torch.no_grad():
        model = ouro.OuroForCausalLM(config, init=False)
    model = model.to(device=device, dtype=torch.bfloat16)
    model.model.freq = model.model.freq.float()                      # positions times frequencies in float32
    synthetic(model, config.initializer_range)
    model.recompute_loops = job['recomputeLoops']
    if job['compile']:
        for layer in model.model.layers:
            layer.forward = torch.compile(layer.forward)
    chunked_head(looprpt)
    trainer = half_trainer(looprpt, model, job['mode'], device)
    steps = np.fromfile(job['tokens'], '<i4').reshape(-1, b['B'], b['T'] + 1).astype(np.int64)
    wait = torch.cuda.synchronize if device.type == 'cuda' else lambda: None
    n = 0
    for line in sys.stdin:
        if line.strip() == 'memory':
            cuda = device.type == 'cuda'
            peak = torch.cuda.max_memory_reserved() if cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            whole = torch.cuda.mem_get_info()[1] if cuda else None
            print(json.dumps(dict(peak=peak, whole=whole)), flush=True)
            continue
        start = time.perf_counter()
        ids = torch.from_numpy(steps[n % len(steps)]).to(device)
        n += 1
        loss, info = trainer.step(ids[:, :-1], ids[:, 1:].contiguous())
        wait()
        print(json.dumps(dict(seconds=time.perf_counter() - start, loss=loss, parts=info)), flush=True)


if __name__ == '__main__':
    main()
