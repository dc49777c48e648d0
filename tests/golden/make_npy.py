#!/usr/bin/env python3
"""Writes the .npy files of this folder with NumPy: python3 tests/golden/make_npy.py

Element i (in C order) of each is 3 i - 4, of unsigned ones 3 i. tests/test_npy.c lists the same
files with their shapes and reads them.
"""
import pathlib

import numpy as np

folder = pathlib.Path(__file__).parent


def values(dtype, shape):
    i = np.arange(int(np.prod(shape)))
    return (3 * i - (0 if np.dtype(dtype).kind == "u" else 4)).astype(dtype).reshape(shape)


def write(name, array, version=None):
    with open(folder / name, "wb") as file:
        np.lib.format.write_array(file, array, version=version)


write("f4.npy", values("<f4", (2, 3)))
write("f8.npy", values("<f8", (5,)))
write("i4.npy", values("<i4", (2, 1, 3, 2)))
write("i8.npy", values("<i8", ()))
write("u1.npy", values("|u1", (3, 4)))
write("empty.npy", values("<f4", (0, 3)))
write("big_f4.npy", values(">f4", (2, 3)))
write("big_i8.npy", values(">i8", (4,)))
write("fortran_f8.npy", np.asfortranarray(values("<f8", (2, 3, 4))))
write("fortran_big_i4.npy", np.asfortranarray(values(">i4", (3, 2))))
write("v2.npy", values("<f4", (2, 3)), version=(2, 0))
write("v3.npy", values("<f4", (2, 3)), version=(3, 0))
