"""Writes ops_conv.json: golden values of convolution and average pooling from PyTorch in float64.

Run with any PyTorch: python3 tests/golden/make_ops_conv.py. The schema is that of make_ops_b.py. The configurations are
random, so that every combination of stride, padding, dilation and groups stands a chance; numbers have one decimal,
which keeps the file small.
"""

import json
import pathlib
import random

import torch
from torch.nn import functional

torch.manual_seed(20241103)
random.seed(20241103)
F64 = torch.float64
cases = []


def array(t):
    return None if t is None else {"dtype": "float32", "shape": list(t.shape), "data": short(t)}


def short(t):
    """What is exact in a few decimals is written so; 14 digits are more than the comparison in float64 looks at."""
    return [float(f"{x:.14g}") if x % 1 else int(x) for x in t.detach().reshape(-1).tolist()]


def numbers(*shape):
    return (torch.randn(shape, dtype=F64) * 10).round() / 10


def case(op, attr, inputs, function):
    leaves = [None if x is None else x.requires_grad_(True) for x in inputs]
    out = function(*leaves)
    head = numbers(*out.shape)
    out.backward(head)
    cases.append({"op": op, "attr": attr, "inputs": [array(x) for x in leaves], "outputs": [array(out)],
                  "heads": [array(head)], "gradients": [array(x.grad if x is not None else None) for x in leaves]})


def convolutions(count):
    while count:
        groups = random.choice((1, 1, 1, 2, 3))
        c, k = (groups * random.randint(1, 2) for _ in range(2))
        r, s = random.randint(1, 4), random.randint(1, 4)
        stride, pad, dilation = ([random.choice(choice) for _ in range(2)]
                                 for choice in ((1, 1, 2, 3), (0, 0, 1, 2), (1, 1, 2)))
        h, w = random.randint(1, 6), random.randint(1, 7)
        if h + 2 * pad[0] < dilation[0] * (r - 1) + 1 or w + 2 * pad[1] < dilation[1] * (s - 1) + 1:
            continue
        n = random.choice((1, 1, 1, 2))
        attr = (f"stride_h={stride[0]},stride_w={stride[1]},pad_h={pad[0]},pad_w={pad[1]},"
                f"dilation_h={dilation[0]},dilation_w={dilation[1]},groups={groups}")
        options = (tuple(stride), tuple(pad), tuple(dilation), groups)
        x, weight, bias = numbers(n, c, h, w), numbers(k, c // groups, r, s), random.choice((None, numbers(k)))
        case("conv2d", attr, [x, weight, bias], lambda x, w, b, o=options: functional.conv2d(x, w, b, *o))
        count -= 1
        if count % 20 == 0:
            of_gradients(attr, options, x.detach(), weight.detach())


def of_gradients(attr, options, x, weight):
    """The gradients as operators of their own, with gradients of theirs. What only counts by its shape gets none."""
    dy = numbers(*functional.conv2d(x, weight, None, *options).shape)

    def to_data(dy, w, _):
        return torch.nn.grad.conv2d_input(x.shape, w, dy, *options)

    def to_weight(dy, x, _):
        return torch.nn.grad.conv2d_weight(x, weight.shape, dy, *options)

    case("conv2d_grad_data", attr, [dy.clone(), weight.clone(), x.clone()], to_data)
    case("conv2d_grad_weight", attr, [dy.clone(), x.clone(), weight.clone()], to_weight)


def larger():
    """The layers of the LeNets on an image or two, and widths that fill vectors."""
    for shape, weight, options in (((1, 1, 9, 9), (6, 1, 5, 5), ()), ((2, 3, 5, 5), (8, 3, 3, 3), ()),
                                   ((1, 2, 6, 6), (10, 2, 5, 5), ()), ((1, 2, 4, 34), (3, 2, 3, 3), (1, 1)),
                                   ((1, 17, 3, 3), (9, 17, 1, 1), ()), ((1, 8, 4, 4), (8, 1, 3, 3), (1, 1, 1, 8)),
                                   ((1, 2, 9, 9), (2, 2, 7, 7), (2, 3)), ((1, 1, 15, 15), (2, 1, 11, 11), (4,))):
        stride, pad, dilation, groups = (options + (1, 0, 1, 1)[len(options):])
        attr = (f"stride_h={stride},stride_w={stride},pad_h={pad},pad_w={pad},dilation_h={dilation},"
                f"dilation_w={dilation},groups={groups}")
        case("conv2d", attr, [numbers(*shape), numbers(*weight), numbers(weight[0])],
             lambda x, w, b, o=(stride, pad, dilation, groups): functional.conv2d(x, w, b, *o))


def pools(count):
    while count:
        k = [random.randint(1, 4) for _ in range(2)]
        stride = [random.randint(1, 4) for _ in range(2)]
        pad = [random.randint(0, k[i] // 2) for i in range(2)]
        ceil, include = random.random() < 0.5, random.random() < 0.5
        h, w = random.randint(1, 7), random.choice((1, 4, 9, 20))
        if h + 2 * pad[0] < k[0] or w + 2 * pad[1] < k[1]:
            continue
        attr = (f"kernel_h={k[0]},kernel_w={k[1]},stride_h={stride[0]},stride_w={stride[1]},pad_h={pad[0]},"
                f"pad_w={pad[1]},ceil_mode={str(ceil).lower()},count_include_pad={str(include).lower()}")
        case("avg_pool2d", attr, [numbers(1, random.randint(1, 2), h, w)],
             lambda x, o=(k, stride, pad, ceil, include): functional.avg_pool2d(x, *o))
        count -= 1
    case("avg_pool2d", "", [numbers(2, 3, 6, 8)], lambda x: functional.avg_pool2d(x, 2))
    case("avg_pool2d", "", [numbers(1, 2, 7, 35)], lambda x: functional.avg_pool2d(x, 2))


convolutions(135)
larger()
pools(30)
text = "[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n"
(pathlib.Path(__file__).parent / "ops_conv.json").write_text(text)
