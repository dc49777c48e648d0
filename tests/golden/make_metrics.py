"""Writes tests/golden/metrics.h: what NumPy and SciPy say, for tests/test_metrics.c. Run in the source folder."""
import numpy as np
from scipy import stats


def r2(target, y):
    """Coefficient of determination of each column (truth first), mean over columns, in extended precision."""
    t, p = target.astype(np.longdouble), y.astype(np.longdouble)
    return float(np.mean(1 - ((t - p) ** 2).sum(0) / ((t - t.mean(0)) ** 2).sum(0)))


def cases():
    rng = np.random.default_rng(7)
    noise = rng.standard_normal((40, 3)).astype(np.float32)
    far = (1e4 + rng.standard_normal((40, 1))).astype(np.float32)
    x = rng.standard_normal(25)
    t = (2 * x + rng.standard_normal(25)).astype(np.float32)
    fit = stats.linregress(x, t)
    fitted = (fit.intercept + fit.slope * x).astype(np.float32)
    yield noise, (noise + 0.5 * rng.standard_normal((40, 3))).astype(np.float32), None
    yield far, (far + 0.25 * rng.standard_normal((40, 1))).astype(np.float32), None
    yield noise[:, :1], noise[:, 1:2], None  # worse than the mean: below 0
    yield t[:, None], fitted[:, None], fit.rvalue ** 2  # of a least-squares line r2 is the correlation's square


def numbers(a):
    return ", ".join(float(v).hex() + "f" for v in a.ravel())


def labels():
    rng = np.random.default_rng(9)
    y = rng.standard_normal((50, 5)).astype(np.float32)
    y[3] = 1  # all equal: the first counts
    label = rng.integers(0, 5, 50)
    label[3] = 0
    right = int((y.argmax(1) == label).sum())
    return f"    {{{numbers(y)}}},\n    {{{', '.join(map(str, label))}}}, {right}"


with open("tests/golden/metrics.h", "w", encoding="utf-8") as out:
    out.write("/* metrics.h - MSE, MAE, r2 and accuracy as NumPy gives them; written by make_metrics.py. */\n")
    out.write("/* clang-format off */\n")
    out.write("static const struct { int rows, width; float target[120], y[120]; double mse, mae, r2; } golden_targets[] = {\n")
    for target, y, squared in cases():
        if squared is not None:
            assert abs(r2(target, y) - squared) < 1e-6
        d = y.astype(np.longdouble) - target.astype(np.longdouble)
        out.write(f"    {{{target.shape[0]}, {target.shape[1]},\n    {{{numbers(target)}}},\n    {{{numbers(y)}}},\n"
                  f"    {float((d ** 2).mean())!r}, {float(abs(d).mean())!r}, {r2(target, y)!r}}},\n")
    out.write("};\nstatic const struct { float y[250]; int32_t label[50]; int right; } golden_labels = {\n")
    out.write(labels() + "\n};\n/* clang-format on */\n")
