"""Golden cases in JSON, made with PyTorch in float64: what the make_ops_*.py scripts share.

A case is {op, attr, inputs, outputs, heads, gradients}; an array is {dtype, shape, data}, null where it is absent.
heads: the gradients that are fed to the outputs, null where nothing is differentiated.
"""

import json
import pathlib

import torch

F64 = torch.float64


def array(t, dtype=None):
    """PyTorch's floating numbers stand as float32, whole ones as int32, unless said otherwise."""
    if t is None:
        return None
    dtype = dtype or ("float32" if t.is_floating_point() else "int32")
    return {"dtype": dtype, "shape": list(t.shape), "data": t.detach().reshape(-1).tolist()}


def random(*shape, scale=1.0, shift=0.0):
    return torch.randn(shape, dtype=F64) * scale + shift


class Cases:
    def __init__(self):
        self.cases = []

    def add(self, op, attr, inputs, outputs, heads=None, gradients=None):
        self.cases.append({"op": op, "attr": attr, "inputs": inputs, "outputs": outputs,
                           "heads": heads, "gradients": gradients})

    def differentiable(self, op, attr, inputs, function, further=()):
        """`function` of the inputs gives output 0; `further` are outputs that stand after it, without a head."""
        leaves = [None if x is None else x.requires_grad_(x.is_floating_point()) for x in inputs]
        out = function(*leaves)
        head = random(*out.shape)
        out.backward(head)
        self.add(op, attr, [array(x) for x in leaves], [array(out), *(array(x) for x in further)],
                 [array(head), *(None for _ in further)],
                 [array(x.grad) if x is not None and x.is_floating_point() else None for x in leaves])

    def write(self, script, name):
        path = pathlib.Path(script).with_name(name)
        path.write_text("[\n" + ",\n".join(json.dumps(c) for c in self.cases) + "\n]\n")
        print(f"{path.name}: {len(self.cases)} cases, {path.stat().st_size} bytes")
