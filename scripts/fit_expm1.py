#!/usr/bin/env python3
"""Fits the polynomial of tanh (ops/activation.c): q(r) = (e^r - 1 - r) / r^2 on |r| <= ln 2 / 2.

Minimax in the error relative to e^r - 1, by Remez' exchange in float64; prints the coefficients rounded to float32,
highest power first, and the error before and after rounding. Usage: fit_expm1.py [DEGREE]
"""
import sys

import numpy as np

DEGREE = int(sys.argv[1]) if len(sys.argv) > 1 else 4
EDGE = np.log(2) / 2 * 1.0001


def target(r):
    """(e^r - 1 - r) / r^2 by its series, which does not cancel."""
    total, term = np.zeros_like(r), np.full_like(r, 0.5)
    for k in range(3, 25):
        total, term = total + term, term * r / k
    return total


def weight(r):
    """|r^2 / (e^r - 1)|, which makes an error of q one of e^r - 1; 0 at 0, where q does not matter."""
    return np.abs(r) / (1 + r * target(r))


def error(coefficients, r):
    return (np.polyval(coefficients, r) - target(r)) * weight(r)


def remez(degree):
    grid = np.linspace(-EDGE, EDGE, 20001)
    grid = grid[np.abs(grid) > 1e-6]
    nodes = -EDGE * np.cos(np.pi * (np.arange(degree + 2) + 0.5) / (degree + 2))
    for _ in range(50):
        signs = (-1.0) ** np.arange(degree + 2)
        matrix = np.column_stack([np.vander(nodes, degree + 1), signs / weight(nodes)])
        coefficients = np.linalg.solve(matrix, target(nodes))[:-1]
        e = error(coefficients, grid)
        # the extremes between sign changes
        cuts = np.flatnonzero(np.sign(e[1:]) != np.sign(e[:-1])) + 1
        peaks = [part[np.argmax(np.abs(e[part]))] for part in np.split(np.arange(len(e)), cuts)]
        while len(peaks) > degree + 2:
            peaks.pop(0 if abs(e[peaks[0]]) < abs(e[peaks[-1]]) else -1)
        if len(peaks) < degree + 2 or np.allclose(grid[peaks], nodes, atol=1e-12):
            break
        nodes = grid[peaks]
    return coefficients, np.abs(e).max()


best, size = remez(DEGREE)
rounded = best.astype(np.float32).astype(np.float64)
r = np.linspace(-EDGE, EDGE, 100001)
print(", ".join(f"{c:.9g}f" for c in rounded))
print(f"relative error of e^r - 1: {size:.3g}, with rounded coefficients {np.abs(error(rounded, r)).max():.3g}")
