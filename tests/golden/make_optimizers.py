"""Writes optimizers.json: parameters step by step, and learning rates, from torch.optim in float64.

Run with any PyTorch: python3 tests/golden/make_optimizers.py. {text, start, gradients, after}: an optimizer by its option
string, one parameter [3,7] at the start, its gradient at each step, the parameter after it. {text, rates}: the learning
rate of each step.
"""

import json
import math
import pathlib

import torch

torch.manual_seed(20251122)
F64 = torch.float64
STEPS = 6


def numbers(t):
    return t.detach().reshape(-1).tolist()


def run(text, make, schedule=None, clip=None):
    start = (torch.randn(3, 7, dtype=F64) * 256).round() / 256
    w = torch.nn.Parameter(start.clone())
    optimizer = make([w])
    scheduler = schedule(optimizer) if schedule else None
    gradients, after = [], []
    for _ in range(STEPS):
        w.grad = (torch.randn(3, 7, dtype=F64) * 256).round() / 256
        gradients.append(numbers(w.grad))
        if clip:
            torch.nn.utils.clip_grad_norm_([w], clip)
        optimizer.step()
        if scheduler:
            scheduler.step()
        after.append(numbers(w))
    return {"text": text, "start": numbers(start), "gradients": gradients, "after": after}


def rates(text, schedule, n=12, lr=0.5):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = schedule(optimizer)
    out = []
    for _ in range(n):
        out.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return {"text": text, "rates": out}


def warmed(after, warmup):
    """LinearLR from 1/warmup to 1 for the warm-up, then `after`."""
    def make(o):
        up = torch.optim.lr_scheduler.LambdaLR(o, lambda t: (t + 1) / warmup)
        return torch.optim.lr_scheduler.SequentialLR(o, [up, after(o)], [warmup])
    return make


optim, lrs = torch.optim, torch.optim.lr_scheduler
runs = [
    run("sgd:lr=0.1,momentum=0", lambda w: optim.SGD(w, lr=0.1)),
    run("sgd:lr=0.1,weight_decay=0.05", lambda w: optim.SGD(w, lr=0.1, momentum=0.9, weight_decay=0.05)),
    run("sgd:lr=0.1,momentum=0.8,nesterov=true", lambda w: optim.SGD(w, lr=0.1, momentum=0.8, nesterov=True)),
    run("sgd:lr=0.1,clip=0.7,schedule=step,period=2,gamma=0.5", lambda w: optim.SGD(w, lr=0.1, momentum=0.9),
        lambda o: lrs.StepLR(o, 2, 0.5), clip=0.7),
    run("adam:lr=0.05,weight_decay=0.1", lambda w: optim.Adam(w, lr=0.05, weight_decay=0.1)),
    run("adamw:lr=0.05", lambda w: optim.AdamW(w, lr=0.05, weight_decay=0.01)),
    run("adamw:lr=0.05,weight_decay=0.4,schedule=cosine,steps=5,end=0.1",
        lambda w: optim.AdamW(w, lr=0.05, weight_decay=0.4), lambda o: lrs.LambdaLR(
            o, lambda t: 0.1 + 0.9 * (1 + math.cos(math.pi * min(t / 5, 1))) / 2)),
    run("rmsprop:lr=0.02", lambda w: optim.RMSprop(w, lr=0.02)),
    run("rmsprop:lr=0.02,alpha=0.9,epsilon=1e-3,weight_decay=0.1,schedule=exponential,gamma=0.9",
        lambda w: optim.RMSprop(w, lr=0.02, alpha=0.9, eps=1e-3, weight_decay=0.1),
        lambda o: lrs.ExponentialLR(o, 0.9)),
    run("adagrad:lr=0.1", lambda w: optim.Adagrad(w, lr=0.1)),
    run("adagrad:lr=0.1,weight_decay=0.1,schedule=inverse,gamma=0.3",
        lambda w: optim.Adagrad(w, lr=0.1, weight_decay=0.1, lr_decay=0.3)),
]
schedules = [
    rates("sgd:lr=0.5", lambda o: lrs.ConstantLR(o, 1.0)),
    rates("sgd:lr=0.5,schedule=step,period=4", lambda o: lrs.StepLR(o, 4, 0.1)),
    rates("sgd:lr=0.5,schedule=exponential,gamma=0.8", lambda o: lrs.ExponentialLR(o, 0.8)),
    rates("sgd:lr=0.5,schedule=linear,steps=8,end=0.25", lambda o: lrs.LinearLR(o, 1.0, 0.25, 8)),
    rates("sgd:lr=0.5,schedule=cosine,steps=11,end=0.2", lambda o: lrs.CosineAnnealingLR(o, 11, 0.1)),
    rates("sgd:lr=0.5,schedule=cosine,steps=13,warmup=3", warmed(lambda o: lrs.CosineAnnealingLR(o, 10), 3)),
    rates("sgd:lr=0.5,schedule=step,period=2,gamma=0.5,warmup=4", warmed(lambda o: lrs.StepLR(o, 2, 0.5), 4)),
]
path = pathlib.Path(__file__).with_name("optimizers.json")
path.write_text("[\n" + ",\n".join(json.dumps(c) for c in runs + schedules) + "\n]\n")
print(f"{path.name}: {len(runs)} runs, {len(schedules)} schedules, {path.stat().st_size} bytes")
