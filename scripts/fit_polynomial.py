#!/usr/bin/env python3
"""Fits the polynomials of ops/math.h: minimax in the relative error of what they stand for, by Remez' exchange in float64.

    expm1   q(r) = (e^r - 1 - r) / r^2 on |r| <= ln 2 / 2; the error is one of e^r - 1
    normal  m(t) = (a + 3) e^(a^2/2) P(X > a), X normal, a = 3 (1 + t) / (1 - t) in [0, 15]; the error is its own

Prints the coefficients rounded to float32, highest power first, and the error before and after rounding.
Usage: fit_polynomial.py expm1|normal [DEGREE]. Needs numpy and scipy.
"""
import sys

import numpy as np
from scipy.special import erfcx


def expm1_target(r):
    """(e^r - 1 - r) / r^2 by its series, which does not cancel."""
    total, term = np.zeros_like(r), np.full_like(r, 0.5)
    for k in range(3, 25):
        total, term = total + term, term * r / k
    return total


def expm1_weight(r):
    """|r^2 / (e^r - 1)|, which makes an error of q one of e^r - 1; 0 at 0, where q does not matter."""
    return np.abs(r) / (1 + r * expm1_target(r))


def normal_target(t):
    a = 3 * (1 + t) / (1 - t)
    return (a + 3) * erfcx(a / np.sqrt(2)) / 2


def normal_weight(t):
    return 1 / normal_target(t)


EDGE = np.log(2) / 2 * 1.0001
FITS = {  # target, weight, ends, degree
    "expm1": (expm1_target, expm1_weight, (-EDGE, EDGE), 4),
    "normal": (normal_target, normal_weight, (-1, (15 - 3) / (15 + 3)), 9),
}


def remez(target, weight, ends, degree):
    middle, half = sum(ends) / 2, (ends[1] - ends[0]) / 2
    grid = np.linspace(*ends, 20001)
    grid = grid[np.abs(grid) > 1e-6]
    nodes = middle - half * np.cos(np.pi * (np.arange(degree + 2) + 0.5) / (degree + 2))
    for _ in range(50):
        signs = (-1.0) ** np.arange(degree + 2)
        matrix = np.column_stack([np.vander(nodes, degree + 1), signs / weight(nodes)])
        coefficients = np.linalg.solve(matrix, target(nodes))[:-1]
        e = (np.polyval(coefficients, grid) - target(grid)) * weight(grid)
        # the extremes between sign changes
        cuts = np.flatnonzero(np.sign(e[1:]) != np.sign(e[:-1])) + 1
        peaks = [part[np.argmax(np.abs(e[part]))] for part in np.split(np.arange(len(e)), cuts)]
        while len(peaks) > degree + 2:
            peaks.pop(0 if abs(e[peaks[0]]) < abs(e[peaks[-1]]) else -1)
        if len(peaks) < degree + 2 or np.allclose(grid[peaks], nodes, atol=1e-12):
            break
        nodes = grid[peaks]
    return coefficients, np.abs(e).max()


target, weight, ends, degree = FITS[sys.argv[1]]
best, size = remez(target, weight, ends, int(sys.argv[2]) if len(sys.argv) > 2 else degree)
rounded = best.astype(np.float32).astype(np.float64)
x = np.linspace(*ends, 100001)
print(", ".join(f"{c:.9g}f" for c in rounded))
print(f"relative error: {size:.3g}, "
      f"with rounded coefficients {np.abs((np.polyval(rounded, x) - target(x)) * weight(x)).max():.3g}")
