"""Writes ops_image.json: random configurations of convolution, the poolings, local response normalization and nearest
upsampling, forward and gradients, from PyTorch in float64.

Run with any PyTorch: python3 tests/golden/make_ops_image.py. Shapes are large enough to fill vectors, tiles and pieces;
so inputs are numbers of a formula and results stand as digests (formula.py). `levels`: whole numbers, many of them
equal, so that maxima are tied. NaN and infinities, which a digest cannot hold, stand in full.
"""

import json
import math
import pathlib
import random

import torch
from torch.nn import functional

from formula import digest, numbers

random.seed(20261121)
F64 = torch.float64
cases = []


def given(name, shape, levels=0):
    x = torch.tensor(numbers(name, math.prod(shape)), dtype=F64).reshape(shape)
    return torch.floor(x * levels) if levels else x


def named(name, shape, levels):
    spec = {"dtype": "float32", "shape": list(shape), "formula": name}
    return {**spec, "levels": levels} if levels else spec


def result(t):
    return {"dtype": "float32", "shape": list(t.shape), "digest": digest(t, 15)}


def case(op, attr, shapes, function, levels=0):
    """Inputs of these shapes (None: absent) in order; the function's result and the gradients to all of them."""
    names = [f"{op}{len(cases)}.{i}" for i in range(len(shapes))]
    leaves = [s and given(n, s, levels).requires_grad_(True) for n, s in zip(names, shapes)]
    out = function(*leaves)
    out.backward(given("head", out.shape))
    cases.append({"op": op, "attr": ",".join(f"{key}={str(value).lower()}" for key, value in attr.items()),
                  "inputs": [s and named(n, s, levels) for n, s in zip(names, shapes)], "outputs": [result(out)],
                  "heads": [named("head", out.shape, 0)],
                  "gradients": [None if x is None else result(x.grad) for x in leaves]})


def both(prefix, pair):
    return {prefix + "_h": pair[0], prefix + "_w": pair[1]}


def convolutions(count):
    """Of all kinds: plain, strided, dilated, in groups, of each channel alone; kernels from 1x1 to 11x11."""
    while count:
        groups = random.choice((1, 1, 1, 1, 2, 3, 8))
        c, k = (groups * random.choice((1, 1, 2, 3, 5, 8)) for _ in range(2))
        r, s = random.choice(((1, 1), (1, 1), (3, 3), (3, 3), (3, 3), (5, 5), (7, 7), (2, 3), (4, 1), (11, 11)))
        stride = random.choice(((1, 1), (1, 1), (1, 1), (2, 2), (3, 1), (4, 4)))
        pad = random.choice(((0, 0), (r // 2, s // 2), (1, 2), (r - 1, s - 1)))
        dilation = random.choice(((1, 1), (1, 1), (1, 1), (2, 2), (1, 3)))
        n, h, w = random.choice((1, 2, 3)), random.randint(1, 24), random.randint(1, 40)
        if h + 2 * pad[0] < dilation[0] * (r - 1) + 1 or w + 2 * pad[1] < dilation[1] * (s - 1) + 1:
            continue
        oh = (h + 2 * pad[0] - dilation[0] * (r - 1) - 1) // stride[0] + 1
        ow = (w + 2 * pad[1] - dilation[1] * (s - 1) - 1) // stride[1] + 1
        if n * k * oh * ow * c // groups * r * s > 400_000:
            continue
        options = (stride, pad, dilation, groups)
        case("conv2d", both("stride", stride) | both("pad", pad) | both("dilation", dilation) | {"groups": groups},
             [(n, c, h, w), (k, c // groups, r, s), random.choice((None, (k,)))],
             lambda x, w, b, o=options: functional.conv2d(x, w, b, *o))
        count -= 1


def pools(op, function, count):
    while count:
        k = random.choice(((2, 2), (3, 3), (3, 3), [random.randint(1, 5) for _ in range(2)]))
        stride = random.choice(((1, 1), (2, 2), (2, 2), [random.randint(1, 4) for _ in range(2)]))
        pad = random.choice(((0, 0), [random.randint(0, size // 2) for size in k]))
        h, w = random.randint(1, 20), random.randint(1, 70)
        if h + 2 * pad[0] < k[0] or w + 2 * pad[1] < k[1]:
            continue
        attr = both("kernel", k) | both("stride", stride) | both("pad", pad) | {"ceil_mode": random.random() < 0.3}
        if op == "avg_pool2d":
            attr["count_include_pad"] = random.random() < 0.5
        case(op, attr, [(random.randint(1, 2), random.choice((1, 3, 5)), h, w)],
             lambda x, a=attr: function(x, k, stride, pad, a), random.choice((0, 0, 3)) if op == "max_pool2d" else 0)
        count -= 1


def max_pool(x, k, stride, pad, attr):
    return functional.max_pool2d(x, k, stride, pad, ceil_mode=attr["ceil_mode"])


def avg_pool(x, k, stride, pad, attr):
    return functional.avg_pool2d(x, k, stride, pad, attr["ceil_mode"], attr["count_include_pad"])


def response_norms():
    for shape, size, alpha, beta, k in (((2, 7, 3, 3), 5, 1.0, 0.75, 1.0), ((1, 8, 5, 7), 4, 2.5, 0.5, 0.5),
                                        ((3, 2, 9), 5, 0.1, 0.75, 2.0), ((2, 3, 4, 4), 1, 1.0, 1.0, 1.0),
                                        ((1, 40, 6, 11), 33, 8.0, 0.75, 1.0), ((2, 96, 5, 5), 5, 1e-4, 0.75, 2.0)):
        case("local_response_norm", {"size": size, "alpha": alpha, "beta": beta, "k": k}, [shape],
             lambda x, o=(size, alpha, beta, k): functional.local_response_norm(x, *o))


def upsamplings():
    for shape, scale in (((2, 3, 5, 7), (2, 2)), ((1, 2, 3, 37), (1, 3)), ((1, 2, 4, 2), (3, 19)),
                         ((2, 2, 3, 3), (4, 1)), ((1, 5, 17, 33), (2, 2))):
        case("upsample_nearest2d", both("scale", scale), [shape],
             lambda x, s=scale: functional.interpolate(x, scale_factor=s, mode="nearest"))


def in_full(t):
    data = [x if math.isfinite(x) else str(x) for x in t.detach().reshape(-1).tolist()]
    return {"dtype": "float32", "shape": list(t.shape), "data": data}


def not_finite():
    """A NaN is larger than all and the last one wins; where all is -infinity the first does."""
    nan, inf = math.nan, math.inf
    rows = [[1, nan, 2, 3, -inf, -inf, 0, inf, 5], [nan, 4, nan, 1, -inf, -inf, inf, inf, 2],
            [0, 1, 2, 3, 4, -inf, 6, nan, 8], [1, 1, 1, 1, -inf, 1, -inf, 1, 1]]
    for op, function in ("max_pool2d", max_pool), ("avg_pool2d", avg_pool):
        for k, stride, pad in ((2, 2, 0), (3, 1, 1), (3, 2, 1), (2, 1, 0)):
            attr = both("kernel", (k, k)) | both("stride", (stride, stride)) | both("pad", (pad, pad))
            x = torch.tensor([[rows]], dtype=F64, requires_grad=True)
            y = function(x, k, stride, pad, {"ceil_mode": False, "count_include_pad": True})
            y.backward(given("head", y.shape))
            cases.append({"op": op, "attr": ",".join(f"{key}={value}" for key, value in attr.items()),
                          "inputs": [in_full(x)], "outputs": [in_full(y)], "heads": [named("head", y.shape, 0)],
                          "gradients": [in_full(x.grad)]})


def wide_convolutions():
    """3x3 kernels of channels enough for minimal filtering, by tiles of 4x4 outputs and of 2x2."""
    for x, k, pad in (((8, 40, 9, 11), 40, (2, 2)), ((3, 50, 14, 14), 72, (1, 1)), ((2, 48, 23, 17), 33, (0, 1)),
                      ((1, 64, 40, 40), 24, (3, 1)), ((32, 64, 2, 2), 64, (1, 1)), ((9, 80, 6, 6), 61, (1, 1)),
                      ((16, 72, 7, 7), 100, (1, 1))):
        case("conv2d", both("pad", pad), [x, (k, x[1], 3, 3), random.choice((None, (k,)))],
             lambda x, w, b, p=pad: functional.conv2d(x, w, b, padding=p))


convolutions(240)
pools("max_pool2d", max_pool, 90)
pools("avg_pool2d", avg_pool, 90)
response_norms()
upsamplings()
not_finite()
wide_convolutions()
path = pathlib.Path(__file__).with_name("ops_image.json")
path.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")
