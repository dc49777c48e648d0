"""Writes tests/golden/statistics.h: what SciPy says, for tests/test_statistics.c. Run in the source folder."""
import numpy as np
from scipy import stats

SAMPLES = [
    [1.0, 2.0],
    [3.25, 3.5, 3.125, 3.75, 3.0],
    [0.02, -0.01, 0.03, 0.015, 0.005, 0.011, -0.004, 0.0125],
    [1e9, 1e9 + 3, 1e9 - 2, 1e9 + 1],
    [-4.0, 4.0, -4.0, 4.0, 1.0, 2.0, 3.0],
]


def quantiles():
    for freedom in [1, 2, 3, 4, 5, 7, 9, 11, 19, 30, 120, 1000]:
        for p in [0.001, 0.025, 0.2, 0.5, 0.6, 0.8, 0.9, 0.975, 0.995, 0.9999]:
            yield f"    {{{p!r}, {freedom}, {float(stats.t.ppf(p, freedom))!r}}},"


def cdfs():
    for freedom in [1, 2, 5, 10, 100]:
        for t in [-30.0, -2.5, -0.1, 0.0, 0.3, 1.7, 4.0, 12.0]:
            yield f"    {{{t!r}, {freedom}, {float(stats.t.cdf(t, freedom))!r}}},"


def intervals():
    for sample in SAMPLES:
        x = np.array(sample)
        se = stats.sem(x)
        low, high = stats.t.interval(0.95, len(x) - 1, x.mean(), se)
        p = stats.ttest_1samp(x, 0).pvalue
        inside = ", ".join(repr(float(v)) for v in sample)
        yield (f"    {{{len(x)}, {{{inside}}}, {float(x.mean())!r}, {float(np.median(x))!r}, {float(se)!r}, "
               f"{float(low)!r}, {float(high)!r}, {float(p)!r}}},")


with open("tests/golden/statistics.h", "w", encoding="utf-8") as out:
    out.write("/* statistics.h - Student's t as SciPy gives it; written by make_statistics.py. */\n")
    out.write("/* clang-format off */\n")
    out.write("static const struct { double p, freedom, t; } golden_quantile[] = {\n")
    out.write("\n".join(quantiles()) + "\n};\n")
    out.write("static const struct { double t, freedom, p; } golden_cdf[] = {\n")
    out.write("\n".join(cdfs()) + "\n};\n")
    out.write("static const struct { int n; double x[8], mean, median, se, low, high, p; } golden_interval[] = {\n")
    out.write("\n".join(intervals()) + "\n};\n/* clang-format on */\n")
