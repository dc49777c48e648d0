"""Writes ops_a.json: golden values of activations, arithmetic, copies and reductions from PyTorch in float64.

Run with any PyTorch: python3 tests/golden/make_ops_a.py. The schema is that of make_ops_b.py.
"""

import json
import pathlib

import torch

torch.manual_seed(20240818)
F64 = torch.float64
cases = []


def array(t, dtype="float32"):
    return {"dtype": dtype, "shape": list(t.shape), "data": t.detach().reshape(-1).tolist()}


def random(*shape, scale=1.0):
    """Normal numbers with four decimals, which keep the file small."""
    return (torch.randn(shape, dtype=F64) * scale * 1e4).round() / 1e4


def case(op, attr, inputs, function, differentiable=True):
    """The output of function, and where differentiable its gradients for a random head."""
    leaves = [x.requires_grad_(differentiable) for x in inputs]
    out = function(*leaves)
    head = random(*out.shape) if differentiable else None
    if differentiable:
        out.backward(head)
    cases.append({"op": op, "attr": attr, "inputs": [array(x) for x in leaves], "outputs": [array(out)],
                  "heads": [array(head)] if differentiable else None,
                  "gradients": [array(x.grad) for x in leaves] if differentiable else None})


def activations():
    for op, function in (("relu", torch.relu), ("tanh", torch.tanh), ("sigmoid", torch.sigmoid)):
        case(op, "", [random(3, 7)], function)
        case(op, "", [random()], function)
        case(op, "", [random(19, scale=6.0)], function)
        case(op, "", [torch.tensor([-100.0, -20, -9.5, -1e-3, -1e-30, 1e-30, 1e-3, 9.5, 20, 100], dtype=F64)], function)


def arithmetic():
    shapes = (((3, 5), (3, 5)), ((), ()), ((2, 17), ()), ((), (5,)), ((4, 7), (7,)), ((4, 1), (4, 7)), ((3, 1), (1, 6)),
              ((2, 3, 4), (3, 1)), ((1, 1), (3,)), ((2, 1, 3, 1, 2, 1), (1, 2, 1, 2, 1, 3)), ((0, 4), (4,)))
    for op, function in (("add", torch.add), ("sub", torch.sub), ("mul", torch.mul)):
        for a, b in shapes:
            case(op, "", [random(*a), random(*b)], function)
    case("accumulate", "", [random(3, 7), random(3, 7)], torch.add)
    case("scale", "factor=-2.5", [random(3, 7)], lambda x: x * -2.5)
    case("scale", "factor=0.125", [random()], lambda x: x * 0.125)


def copies():
    case("copy", "", [random(3, 7)], torch.clone)
    case("copy", "", [random()], torch.clone)
    case("detach", "", [random(3, 7)], torch.clone, differentiable=False)
    case("fill", "value=-1.5", [random(2, 9)], lambda x: torch.full_like(x, -1.5), differentiable=False)
    for dtype in ("int32", "int64", "uint8"):
        x = torch.arange(11, dtype=F64)
        cases.append({"op": "copy", "attr": "", "inputs": [array(x, dtype)], "outputs": [array(x, dtype)],
                      "heads": None, "gradients": None})
        cases.append({"op": "fill", "attr": "value=7", "inputs": [array(x, dtype)],
                      "outputs": [array(torch.full_like(x, 7), dtype)], "heads": None, "gradients": None})


def reductions():
    for op, function in (("sum", torch.sum), ("mean", torch.mean)):
        for shape, axes in (((3, 7), (0,)), ((3, 7), (1,)), ((17, 4), (0,)), ((2, 3, 4), (0, 2)), ((2, 3, 4), (1,)),
                            ((2, 3, 4), (-1, -3)), ((2, 2, 2, 2, 2, 3), (0, 2, 4)), ((5, 1, 3), (1,)), ((9, 40), (1,))):
            for keep in (False, True):
                case(op, "axes=" + "-".join(map(str, axes)) + ",keep_dims=" + str(keep).lower(), [random(*shape)],
                     lambda x, axes=axes, keep=keep: function(x, dim=axes, keepdim=keep))
        for shape in ((3, 7), (), (41,)):
            case(op, "", [random(*shape)], function)
    case("sum", "axes=0", [random(0, 4)], lambda x: torch.sum(x, dim=0))
    for shape, like in (((3, 5), (5,)), ((3, 5), (3, 1)), ((3, 5), (3, 5)), ((2, 3, 4), (3, 1)), ((3, 5), ()),
                        ((2, 3, 4, 2), (2, 1, 4, 1))):
        case("sum_like", "", [random(*shape), random(*like)], lambda x, y: x.sum_to_size(y.shape), differentiable=False)


activations()
arithmetic()
copies()
reductions()
case("graph_break", "", [random(3, 7)], torch.clone)
text = "[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n"
(pathlib.Path(__file__).parent / "ops_a.json").write_text(text)
