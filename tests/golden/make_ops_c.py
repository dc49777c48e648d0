"""Writes ops_c.json: golden values of views, concat and split from PyTorch in float64.

Run with any PyTorch: python3 tests/golden/make_ops_c.py. The schema is that of make_ops_b.py.
"""

import json
import pathlib

import torch

torch.manual_seed(20240901)
F64 = torch.float64
cases = []


def array(t, dtype="float32"):
    return {"dtype": dtype, "shape": list(t.shape), "data": t.detach().reshape(-1).tolist()}


def random(*shape):
    """Normal numbers with four decimals, which keep the file small."""
    return (torch.randn(shape, dtype=F64) * 1e4).round() / 1e4


def case(op, attr, inputs, function, headed=None):
    """The outputs of function and its gradients for random heads; headed: the outputs that get one (None: all)."""
    leaves = [x.requires_grad_(True) for x in inputs]
    outs = function(*leaves)
    outs = list(outs) if isinstance(outs, (tuple, list)) else [outs]
    heads = [random(*o.shape) if headed is None or i in headed else None for i, o in enumerate(outs)]
    torch.autograd.backward([o for o, h in zip(outs, heads) if h is not None], [h for h in heads if h is not None])
    cases.append({"op": op, "attr": attr, "inputs": [array(x) for x in leaves], "outputs": [array(o) for o in outs],
                  "heads": [None if h is None else array(h) for h in heads],
                  "gradients": [array(x.grad) for x in leaves]})


def moved(op, attr, x, function):
    """Whole numbers of the other dtypes, without gradients."""
    for dtype in ("int32", "int64", "uint8"):
        cases.append({"op": op, "attr": attr, "inputs": [array(x, dtype)], "outputs": [array(function(x), dtype)],
                      "heads": None, "gradients": None})


def joined(numbers):
    return "-".join(map(str, numbers))


def views():
    for shape, to in (((3, 4), (2, 6)), ((3, 4), (-1, 2)), ((2, 3, 4), (4, -1)), ((12,), (1, 12, 1)), ((0, 4), (2, -1)),
                      ((1, 1), ()), ((), (1, 1))):
        case("reshape", "shape=" + joined(to), [random(*shape)], lambda x, to=to: x.reshape(to))
    for shape in ((3, 4), (2, 3, 4), (5,), (2, 1, 3, 2)):
        case("flatten", "", [random(*shape)], lambda x: x.reshape(x.shape[0], -1))
        case("transpose", "", [random(*shape)], lambda x: x.permute(*reversed(range(x.dim()))))
    for shape, axes in (((2, 3, 4), (1, 2, 0)), ((2, 3, 4), (0, -1, 1)), ((2, 3, 4, 2), (3, 0, 2, 1))):
        case("transpose", "axes=" + joined(axes), [random(*shape)], lambda x, axes=axes: x.permute(axes))
    for shape, axes in (((5,), (0,)), ((3, 4), (0,)), ((3, 4), (-1,)), ((2, 3, 4), (0, 2)), ((2, 3, 4), (0, 1, 2))):
        case("flip", "axes=" + joined(axes), [random(*shape)], lambda x, axes=axes: x.flip(axes))
    case("flip", "", [random(3, 4)], lambda x: x.flip(0, 1))
    for shape, to in (((3, 1), (3, 4)), ((4,), (2, 3, 4)), ((), (2, 3)), ((2, 1, 3), (2, 4, 3)), ((1, 1), (1, 5))):
        case("expand", "shape=" + joined(to), [random(*shape)], lambda x, to=to: x.expand(to))
    moved("reshape", "shape=3--1", torch.arange(12, dtype=F64), lambda x: x.reshape(3, -1))
    moved("transpose", "", torch.arange(12, dtype=F64).reshape(3, 4), lambda x: x.t())
    moved("flip", "", torch.arange(5, dtype=F64), lambda x: x.flip(0))
    moved("expand", "shape=3-2", torch.arange(2, dtype=F64), lambda x: x.expand(3, 2))


def slices():
    for shape, axis, begin, end, step in (((7, 3), 0, 2, 5, 1), ((7, 3), 0, -4, -1, 1), ((4, 9), 1, 1, 8, 3),
                                          ((4, 9), -1, 7, 1, -2), ((3, 5, 2), 1, 4, -100, -1), ((6,), 0, 5, 2, 1),
                                          ((6,), 0, -100, 100, 2), ((6, 2), 0, 100, -100, -4)):
        n = shape[axis]
        index = torch.arange(n)[torch.tensor(range(*slice(begin, end, step).indices(n)), dtype=torch.long)]
        attr = f"axis={axis},begin={begin},end={end},step={step}"
        case("slice", attr, [random(*shape)], lambda x, axis=axis, index=index: x.index_select(axis, index))
    moved("slice", "begin=1,step=2", torch.arange(8, dtype=F64), lambda x: x[1::2])


def joins():
    for shapes, axis in ((((3, 4), (2, 4)), 0), (((3, 4), (3, 1), (3, 2)), 1), (((2, 3, 2), (2, 1, 2)), -2),
                         (((5,),), 0), (((2, 0), (2, 3)), 1), (tuple((k,) for k in range(1, 11)), 0)):
        case("concat", f"axis={axis}", [random(*s) for s in shapes], lambda *x, axis=axis: torch.cat(x, dim=axis))
    for shape, axis, parts, headed in (((6, 2), 0, 3, None), ((2, 8), 1, 4, None), ((3, 4, 2), -2, 2, None),
                                       ((6, 2), 0, 3, {1}), ((2, 8), -1, 4, {0, 3}), ((4,), 0, 1, None)):
        case("split", f"axis={axis},parts={parts}", [random(*shape)],
             lambda x, axis=axis, parts=parts: torch.chunk(x, parts, dim=axis), headed)
    x = torch.arange(6, dtype=F64).reshape(2, 3)
    for dtype in ("int32", "int64", "uint8"):
        cases.append({"op": "concat", "attr": "axis=1", "inputs": [array(x, dtype), array(x + 6, dtype)],
                      "outputs": [array(torch.cat((x, x + 6), dim=1), dtype)], "heads": None, "gradients": None})


views()
slices()
joins()
text = "[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n"
(pathlib.Path(__file__).parent / "ops_c.json").write_text(text)
