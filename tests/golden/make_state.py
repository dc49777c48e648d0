"""Writes state.h: PyTorch's values of what takes several steps: running statistics, an LSTM cell, clipping; and of
pooling over NaN and infinities, which JSON cannot hold.

Run with any PyTorch: python3 tests/golden/make_state.py. All in float64, written with the digits of a float32.
"""

import math
import pathlib

import torch

torch.manual_seed(20240819)
F64 = torch.float64
lines = ["/* state.h - written by make_state.py: PyTorch's values for test_state.c and test_layers.c. */",
         "#ifndef TARE_TESTS_GOLDEN_STATE_H", "#define TARE_TESTS_GOLDEN_STATE_H", "", "#include <math.h>",
         "#include <stdint.h>", ""]


def number(x):
    if math.isnan(x):
        return "NAN"
    if math.isinf(x):
        return "INFINITY" if x > 0 else "-INFINITY"
    text = f"{x:.9g}"
    return text + ("f" if set(text) & set(".e") else ".0f")


def put(name, t):
    values = t.detach().reshape(-1).tolist()
    integer = not t.is_floating_point()
    lines.append(f"static const {'int32_t' if integer else 'float'} {name}[{len(values)}] = {{")
    row = "   "
    for v in values:
        text = f" {v}," if integer else f" {number(v)},"
        if len(row) + len(text) > 118:
            lines.append(row)
            row = "   "
        row += text
    lines.extend([row, "};", ""])


def rounded(t):
    """What a float32 holds: inputs are these exactly."""
    return t.to(torch.float32).to(F64)


def running_statistics():
    norm = torch.nn.BatchNorm1d(3, momentum=0.2, dtype=F64)
    x = rounded(torch.randn(4, 5, 3, dtype=F64) * 2 + 1)
    mean, var = [], []
    for batch in x:
        norm(batch)
        mean.append(norm.running_mean.clone())
        var.append(norm.running_var.clone())
    put("golden_norm_x", x)
    put("golden_norm_mean", torch.stack(mean))
    put("golden_norm_var", torch.stack(var))
    norm.eval()
    put("golden_norm_y", norm(x[0]))


def lstm():
    cell = torch.nn.LSTMCell(2, 3, dtype=F64)
    with torch.no_grad():
        for p in cell.parameters():
            p.copy_(rounded(p * 2))
    x = rounded(torch.randn(3, 2, 2, dtype=F64)).requires_grad_()
    head = rounded(torch.randn(2, 3, dtype=F64))
    h = c = torch.zeros(2, 3, dtype=F64)
    for step in x:
        h, c = cell(step, (h, c))
    (h * head).sum().backward()
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        put(f"golden_lstm_{name}", getattr(cell, name))
        put(f"golden_lstm_{name}_grad", getattr(cell, name).grad)
    put("golden_lstm_x", x)
    put("golden_lstm_x_grad", x.grad)
    put("golden_lstm_head", head)
    put("golden_lstm_h", h)
    put("golden_lstm_c", c)


def clipping():
    a, b = (torch.nn.Parameter(torch.zeros(n, dtype=F64)) for n in (6, 4))
    for p, scale, name in ((a, 1, "a"), (b, 3, "b")):
        p.grad = rounded(torch.randn(p.shape, dtype=F64) * scale)
        put(f"golden_clip_{name}", p.grad)
    torch.nn.utils.clip_grad_norm_([a, b], 1.5)
    put("golden_clipped_a", a.grad)
    put("golden_clipped_b", b.grad)


def pooling():
    nan, inf = math.nan, math.inf
    x = torch.tensor([[1, 2, nan, 0, -inf, -inf, 0.0, -0.0], [2, 1, nan, 5, -inf, -inf, -0.0, 0.0],
                      [inf, 3, 1, nan, 4, 4, nan, inf], [3, inf, 2, 9, 4, 4, inf, 1]], dtype=F64)[None, None]
    put("golden_pool_x", x)
    y, index = torch.nn.functional.max_pool2d(x, 2, return_indices=True)
    put("golden_pool_y", y)
    put("golden_pool_index", index)
    y, index = torch.nn.functional.max_pool2d(x, 3, 1, 1, return_indices=True)
    put("golden_pool_wide_y", y)
    put("golden_pool_wide_index", index)


running_statistics()
lstm()
clipping()
pooling()
lines.append("#endif")
path = pathlib.Path(__file__).with_name("state.h")
path.write_text("\n".join(lines) + "\n")
print(f"{path.name}: {path.stat().st_size} bytes")
