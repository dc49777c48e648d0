"""Writes ops_e.json: golden values of pointwise operators, masks, casts, stack, pad and one_hot from PyTorch in float64.

Run with any PyTorch: python3 tests/golden/make_ops_e.py. The schema is that of make_ops_b.py; numbers that JSON lacks
are strings ("nan", "inf", "-inf"), and a case with "exact" keeps its dtypes where others run float32 as float64.
"""

import json
import math
import pathlib

import numpy as np
import torch
from torch.nn import functional

torch.manual_seed(20241103)
F64 = torch.float64
NAN, INF = math.nan, math.inf
NAMES = {torch.float64: "float32", torch.int32: "int32", torch.int64: "int64", torch.uint8: "uint8",
         torch.bool: "uint8"}
cases = []


def array(t, dtype=None):
    data = [x if math.isfinite(x) else str(x) for x in t.detach().reshape(-1).to(F64).tolist()]
    if not t.is_floating_point() or dtype in ("int32", "int64", "uint8"):
        data = [int(x) for x in t.reshape(-1).tolist()]
    return {"dtype": dtype or NAMES[t.dtype], "shape": list(t.shape), "data": data}


def random(*shape, scale=1.0):
    """Normal numbers that float32 holds, with few digits, which keep the file small."""
    return (torch.randn(shape, dtype=F64) * scale * 256).round() / 256


def case(op, attr, inputs, outputs, heads=None, gradients=None, exact=False):
    cases.append({"op": op, "attr": attr, "inputs": inputs, "outputs": outputs, "heads": heads,
                  "gradients": gradients, **({"exact": True} if exact else {})})


def moved(op, attr, function, *inputs):
    """Without gradients."""
    case(op, attr, [None if x is None else array(x) for x in inputs], [array(function(*inputs))])


def smooth(op, attr, function, *inputs):
    """The output, and the gradients of the floating inputs for a random head."""
    leaves = [x.clone().requires_grad_(x.is_floating_point()) if x is not None else None for x in inputs]
    out = function(*leaves)
    head = random(*out.shape)
    out.backward(head)
    case(op, attr, [None if x is None else array(x) for x in leaves], [array(out)], [array(head)],
         [array(x.grad) if x is not None and x.is_floating_point() else None for x in leaves])


def unary():
    """op, attr, function; whether it wants x > 0; further x at which PyTorch has the slope that we take."""
    positive, at_0 = torch.tensor([0.0625, 1, 3, 1e4], dtype=F64), torch.tensor([0.0, -0.0, 1], dtype=F64)
    bounds = torch.tensor([-3.0, 3, -0.5, 0.25, 0], dtype=F64)
    table = [("neg", "", torch.neg, False), ("exp", "", torch.exp, False), ("log", "", torch.log, True),
             ("sqrt", "", torch.sqrt, True), ("square", "", torch.square, False), ("abs", "", torch.abs, False),
             ("clip", "low=-0.5,high=0.25", lambda x: x.clamp(-0.5, 0.25), False),
             ("clip", "high=3", lambda x: x.clamp(max=3), False),
             ("clip", "low=-3", lambda x: x.clamp(min=-3), False),
             ("softsign", "", functional.softsign, False),
             ("softplus", "", lambda x: torch.logaddexp(x, torch.zeros((), dtype=F64)), False),
             ("leaky_relu", "", functional.leaky_relu, False),
             ("leaky_relu", "slope=0.25", lambda x: functional.leaky_relu(x, 0.25), False),
             ("elu", "", functional.elu, False), ("elu", "alpha=0.5", lambda x: functional.elu(x, 0.5), False),
             ("gelu", "", functional.gelu, False),
             ("gelu", "tanh=true", lambda x: functional.gelu(x, approximate="tanh"), False),
             ("silu", "", functional.silu, False), ("hard_swish", "", functional.hardswish, False)]
    for op, attr, function, above in table:
        for shape, scale in (((3, 7), 1), ((40,), 4)):
            x = random(*shape, scale=scale)
            smooth(op, attr, function, x.abs() + 1 / 256 if above else x)
        smooth(op, attr, function, positive if above else bounds if op in ("clip", "hard_swish") else at_0)
    # limits; where PyTorch's formula gives 0 times infinity or infinity over infinity they are not taken from it
    special = [0.0, -0.0, INF, -INF, NAN]
    x = torch.tensor(special, dtype=F64)
    for op, function in (("neg", torch.neg), ("exp", torch.exp), ("log", torch.log), ("sqrt", torch.sqrt),
                         ("square", torch.square), ("abs", torch.abs), ("elu", functional.elu),
                         ("leaky_relu", functional.leaky_relu), ("softplus", functional.softplus)):
        if op != "softplus":
            moved(op, "", function, x)
        else:
            moved(op, "", function, x[2:])
    moved("clip", "low=-1,high=1", lambda x: x.clamp(-1, 1), x)
    for op, attr, function in (("gelu", "", functional.gelu), ("silu", "", functional.silu),
                               ("gelu", "tanh=true", lambda x: functional.gelu(x, approximate="tanh")),
                               ("hard_swish", "", functional.hardswish)):
        moved(op, attr, function, torch.tensor([0.0, -0.0, INF, NAN, 1e3, -1e3], dtype=F64))


PAIRS = (((3, 5), (3, 5)), ((4, 7), (7,)), ((4, 1), (4, 9)), ((), (2, 3)), ((2, 1, 3), (5, 1)), ((0, 4), (4,)))


def binary():
    for a, b in PAIRS:
        smooth("div", "", torch.div, random(*a), random(*b).abs() + 0.5)
        for op, function in (("maximum", torch.maximum), ("minimum", torch.minimum)):
            smooth(op, "", function, random(*a), random(*b))
            # many ties: each side gets half
            smooth(op, "", function, torch.randint(0, 2, a).to(F64), torch.randint(0, 2, b).to(F64))
    special = torch.tensor([0.0, -0.0, 1, -1, INF, -INF, NAN], dtype=F64)
    column = special.reshape(-1, 1)
    moved("div", "", torch.div, special, column)
    for op, function in (("maximum", torch.maximum), ("minimum", torch.minimum)):
        moved(op, "", function, special, column)
    for op, function in (("equal", torch.eq), ("not_equal", torch.ne), ("less", torch.lt), ("less_equal", torch.le),
                         ("greater", torch.gt), ("greater_equal", torch.ge)):
        moved(op, "", function, special, column)
        for a, b in PAIRS:
            moved(op, "", function, torch.randint(-1, 2, a).to(F64), torch.randint(-1, 2, b).to(F64))
        for dtype, low in ((torch.int32, -1), (torch.int64, -1), (torch.uint8, 0)):
            moved(op, "", function, torch.randint(low, 2, (3, 4), dtype=dtype), torch.randint(low, 2, (4,), dtype=dtype))
        big = torch.tensor([2**53, 2**53 + 1, -2**62], dtype=torch.int64)  # float64 does not tell them apart
        moved(op, "", function, big, torch.tensor([2**53 + 1, 2**53 + 1, -2**62 + 1], dtype=torch.int64))


def wheres():
    for mask, a, b in (((3, 5), (3, 5), (3, 5)), ((4, 1), (4, 9), (9,)), ((6,), (2, 6), ()), ((), (3,), (2, 1)),
                       ((2, 1, 3), (5, 1), (1, 1, 1))):
        c = torch.randint(0, 3, mask, dtype=torch.uint8)
        smooth("where", "", lambda c, a, b: torch.where(c != 0, a, b), c, random(*a), random(*b))
    c = torch.randint(0, 2, (3, 5), dtype=torch.uint8)
    zero = torch.zeros((), dtype=F64)
    smooth("where", "", lambda c, a, b: torch.where(c != 0, a, zero), c, random(3, 5), None)
    smooth("where", "", lambda c, a, b: torch.where(c != 0, zero, b), c, None, random(1, 5))
    for dtype in (torch.int32, torch.int64, torch.uint8):
        moved("where", "", lambda c, a, b: torch.where(c != 0, a, b), c,
              torch.randint(0, 99, (3, 1), dtype=dtype), torch.randint(0, 99, (5,), dtype=dtype))
    special = torch.tensor([INF, NAN, -INF], dtype=F64)  # what is not chosen leaves no trace
    moved("where", "", lambda c, a, b: torch.where(c != 0, a, b), torch.tensor([1, 0, 0], dtype=torch.uint8),
          special, torch.tensor([NAN, 2.0, INF], dtype=F64))


def casts():
    """NumPy's casts between what both dtypes hold; beyond, our rules: floats saturate, NaN is 0, integers wrap."""
    types = {"float32": np.float32, "float64": np.float64, "int32": np.int32, "int64": np.int64, "uint8": np.uint8}
    inside = {"uint8": [0, 1, 127, 255, 3]}
    anywhere = {"float32": [0.0, -1.5, 2.75, 255.9, -0.5, 16777216], "float64": [0.1, -1.5, 1e-3, 255.5, 3e5, -7.25],
                "int32": [0, -1, 300, 2**31 - 1, -2**31, 16777217], "int64": [0, -1, 300, 2**40 + 3, -2**31, 2**53 + 1],
                "uint8": [0, 1, 127, 255, 3]}
    limits = {"int32": (-2**31, 2**31 - 1), "int64": (-2**63, 2**63 - 1), "uint8": (0, 255)}

    def json_of(x):
        data = [v if isinstance(v, int) or math.isfinite(v) else str(v) for v in x.tolist()]
        return {"dtype": x.dtype.name, "shape": list(x.shape), "data": data}

    def converted(x, to):
        if x.dtype.kind == "f" and to in limits:
            low, high = limits[to]
            return np.array([0 if math.isnan(v) else low if v < low else high if v > high else int(v)
                             for v in x.tolist()], dtype=types[to])
        return x.astype(types[to])

    for source in types:
        for to in types:
            x = np.array(anywhere[source], dtype=types[source])
            case("cast", f"dtype={to}", [json_of(x)], [json_of(converted(x, to))], exact=True)
    beyond = [math.nan, math.inf, -math.inf, 3e9, -3e9, 1e19, -1e19, 256.0, -1.0, -0.25, 2147483648.0, 2147483520.0]
    for source in ("float32", "float64"):
        for to in (*limits, "float32", "float64"):
            x = np.array(beyond, dtype=types[source])
            case("cast", f"dtype={to}", [json_of(x)], [json_of(converted(x, to))], exact=True)
        for to in ("float32", "float64"):  # the gradient comes back in x's dtype
            x, head = random(2, 3), random(2, 3)
            case("cast", f"dtype={to}", [array(x, source)], [array(x, to)], [array(head, to)], [array(head, source)],
                 exact=True)


def moves():
    for shape, n, axis in (((3, 4), 2, 0), ((3, 4), 3, 1), ((3, 4), 2, 2), ((3, 4), 2, -1), ((2, 3, 2), 3, -3), ((), 4, 0),
                           ((5,), 1, 0), ((0, 2), 2, 1)):
        smooth("stack", f"axis={axis}", lambda *x, axis=axis: torch.stack(x, dim=axis), *(random(*shape) for _ in range(n)))
    for dtype in (torch.int32, torch.int64, torch.uint8):
        x = torch.arange(6, dtype=dtype).reshape(2, 3)
        moved("stack", "axis=1", lambda *x: torch.stack(x, dim=1), x, x + 6)
        moved("pad", "before=1-0,after=0-2,value=9", lambda x: functional.pad(x, (0, 2, 1, 0), value=9), x)
    for shape, before, after, value in (((5,), (2,), (1,), 0), ((2, 3), (1, 0), (0, 2), 1.5), ((2, 3), (), (1, 1), -1),
                                        ((2, 3), (1, 1), (), 0), ((2, 2, 3, 3), (0, 0, 1, 2), (0, 0, 1, 0), 0),
                                        ((2, 1, 2, 1, 2, 3), (1, 0, 1, 0, 0, 1), (0, 1, 0, 1, 0, 1), 0.25),
                                        ((2, 0, 3), (0, 1, 0), (1, 1, 0), 2), ((3, 4), (0, 0), (0, 0), 0)):
        rank = len(shape)
        pairs = list(zip(before or (0,) * rank, after or (0,) * rank))
        flat = [n for pair in reversed(pairs) for n in pair]
        attr = ",".join([f"before={'-'.join(map(str, before))}", f"after={'-'.join(map(str, after))}", f"value={value}"])
        smooth("pad", attr, lambda x, flat=flat, value=value: functional.pad(x, flat, value=value), random(*shape))
    for shape, depth in (((4,), 5), ((2, 3), 3), ((), 2), ((0,), 3), ((7,), 1)):
        ids = torch.randint(0, depth, shape, dtype=torch.int32)
        y = torch.zeros(*shape, depth, dtype=F64) if 0 in shape else functional.one_hot(ids.long(), depth).to(F64)
        for to in ("float32", "float64", "int32", "int64", "uint8"):
            case("one_hot", f"depth={depth},dtype={to}", [array(ids)], [array(y, to)], exact=True)


unary()
binary()
wheres()
casts()
moves()
path = pathlib.Path(__file__).with_name("ops_e.json")
path.write_text("[\n" + ",\n".join(json.dumps(c, allow_nan=False) for c in cases) + "\n]\n")
print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")
