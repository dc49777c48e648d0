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


def trimmed():
    for sample in SAMPLES:
        inside = ", ".join(repr(float(v)) for v in sample)
        yield f"    {{{len(sample)}, {{{inside}}}, {float(stats.trim_mean(sample, 0.25))!r}}},"


def welch():
    for a in SAMPLES:
        for b in SAMPLES:
            if a is b:
                continue
            test = stats.ttest_ind(a, b, equal_var=False)
            low, high = test.confidence_interval(0.95)
            inside = ["{" + ", ".join(repr(float(v)) for v in sample) + "}" for sample in (a, b)]
            yield (f"    {{{len(a)}, {len(b)}, {inside[0]}, {inside[1]}, {float(test.df)!r}, {float(low)!r}, "
                   f"{float(high)!r}, {float(test.pvalue)!r}}},")


def holm(p):
    """Step down: the k-th smallest of m is multiplied by m - k, and never below the one before it."""
    adjusted, floor = [0.0] * len(p), 0.0
    for k, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        floor = max(floor, min(1.0, (len(p) - k) * p[i]))
        adjusted[i] = floor
    return adjusted


PS = [[0.01, 0.04, 0.03, 0.005], [0.5], [0.9, 0.8, 0.7], [0.02, 0.02, 0.02], [1e-9, 0.5, 0.011, 0.012, 0.2, 1.0]]


def holms():
    for p in PS:
        yield f"    {{{len(p)}, {{{', '.join(map(repr, p))}}}, {{{', '.join(map(repr, holm(p)))}}}}},"


RUNS, PROCESSES, ROUNDS, ARMS = 3, 6, 10, 4


def runs():
    """Whole runs, drawn once: ns of blocks, and by NumPy and SciPy what a run's figures should be."""
    for seed in range(RUNS):
        draw = np.random.default_rng(seed)
        logs = (np.log(1e6 * np.array([1.0, 1.0, 1.004, 1.3]))[:, None, None]
                + draw.normal(0, 0.003 * (seed + 1), (ARMS, PROCESSES, 1)) + draw.normal(0, 0.02, (1, PROCESSES, ROUNDS))
                + 0.004 * draw.standard_t(3, (ARMS, PROCESSES, ROUNDS)))
        ns = np.exp(logs).astype(np.int64)
        ratios = np.log(ns / ns[0])
        centres = stats.trim_mean(ratios, 0.25, axis=2)
        figures, ps = [], []
        for arm in range(ARMS):
            step = ns[arm].mean(axis=1)
            low, high = stats.t.interval(0.95, PROCESSES - 1, step.mean(), stats.sem(step))
            figures.append([ns[arm].min(), np.median(ns[arm]), step.mean(), low, high])
        for arm in range(1, ARMS):
            x = centres[arm]
            test = stats.ttest_1samp(x, 0)
            low, high = test.confidence_interval(0.95)
            mde = np.exp((stats.t.ppf(0.975, PROCESSES - 1) + stats.t.ppf(0.8, PROCESSES - 1)) * stats.sem(x)) - 1
            figures[arm] += [np.exp(x.mean()), np.exp(low), np.exp(high), test.pvalue, mde]
            ps.append(test.pvalue)
        adjusted = holm(ps[1:])  # the first contrast is the A/A arm
        for arm, p in zip(range(2, ARMS), adjusted):
            figures[arm].append(p)
        blocks = ", ".join(str(int(v)) for v in ns.reshape(-1))
        rows = ", ".join("{" + ", ".join(repr(float(v)) for v in row) + "}" for row in figures)
        yield f"    {{{{{blocks}}},\n     {{{rows}}}}},"


with open("tests/golden/statistics.h", "w", encoding="utf-8") as out:
    out.write("/* statistics.h - Student's t as SciPy gives it; written by make_statistics.py. */\n")
    out.write("/* clang-format off */\n")
    out.write("static const struct { double p, freedom, t; } golden_quantile[] = {\n")
    out.write("\n".join(quantiles()) + "\n};\n")
    out.write("static const struct { double t, freedom, p; } golden_cdf[] = {\n")
    out.write("\n".join(cdfs()) + "\n};\n")
    out.write("static const struct { int n; double x[8], mean, median, se, low, high, p; } golden_interval[] = {\n")
    out.write("\n".join(intervals()) + "\n};\n")
    out.write("static const struct { int n; double x[8], mean; } golden_trimmed[] = {\n")
    out.write("\n".join(trimmed()) + "\n};\n")
    out.write("static const struct { int n, m; double x[8], y[8], freedom, low, high, p; } golden_welch[] = {\n")
    out.write("\n".join(welch()) + "\n};\n")
    out.write("static const struct { int n; double p[8], adjusted[8]; } golden_holm[] = {\n")
    out.write("\n".join(holms()) + "\n};\n")
    out.write(f"enum {{ RUN_ARMS = {ARMS}, RUN_PROCESSES = {PROCESSES}, RUN_ROUNDS = {ROUNDS} }};\n")
    out.write("/* figures: min, median, mean, low, high; ratio, low, high, p, mde; p_holm */\n")
    out.write(f"static const struct {{ long ns[{ARMS * PROCESSES * ROUNDS}]; double figure[{ARMS}][11]; }} "
              "golden_run[] = {\n")
    out.write("\n".join(runs()) + "\n};\n/* clang-format on */\n")
