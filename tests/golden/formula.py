"""Numbers of a formula and digests of results: golden files for what is too large to write down.

Inputs are not in such a file: the script and the test (tests/formula.h) make them of the same formula. Of a result
there stand its norm and its product with numbers of that formula.
"""

import numpy


def numbers(name, count):
    """Numbers in [-1/2, 1/2), multiples of 2^-24, from a name: its FNV-1a hash, then a mix of hash and place."""
    seed = 2166136261
    for byte in name.encode():
        seed = (seed ^ byte) * 16777619 & 0xFFFFFFFF
    x = (numpy.uint64(seed) + numpy.arange(count, dtype=numpy.uint64) * numpy.uint64(2654435761)) & 0xFFFFFFFF
    x ^= x >> numpy.uint64(15)
    x = x * numpy.uint64(2246822519) & numpy.uint64(0xFFFFFFFF)
    x ^= x >> numpy.uint64(13)
    return (x >> numpy.uint64(8)).astype(numpy.float64) / 2**24 - 0.5


def digest(tensor, digits=12):
    flat = tensor.detach().double().reshape(-1).numpy()
    return [float(f"{x:.{digits}g}") for x in (numpy.linalg.norm(flat), flat @ numbers("digest", flat.size))]
