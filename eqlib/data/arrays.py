"""A reader's own arrays at the door: whole numbers, finite numbers, orthogonal matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .elements import ELEMENTS

Array = NDArray[np.float64]


def real(word: str) -> float:
    """A number of a text file; ValueError for what Python alone takes for one: digits of other scripts, and 1_000."""
    if not word.isascii() or "_" in word:
        raise ValueError(f"could not convert string to float: {word!r}")
    return float(word)


def count(word: str) -> int | None:
    """A whole number from 0 on of a text file, of at most 18 digits; None for anything else."""
    return int(word) if word.isascii() and word.isdecimal() and len(word) <= 18 else None


def orthogonal(matrices: ArrayLike, number: int) -> Array:
    """One orthogonal matrix for each of so many, (number, 3, 3), of (3, 3) or (number, 3, 3); ValueError for others."""
    given = np.asarray(matrices, dtype=np.float64)
    if given.shape not in ((3, 3), (number, 3, 3)):
        raise ValueError(f"matrices: got shape {given.shape}, expected (3, 3) or ({number}, 3, 3)")
    if not np.allclose(given @ given.swapaxes(-1, -2), np.eye(3), rtol=0, atol=1e-5):  # NaN fails too
        raise ValueError("matrices: got one that is not orthogonal, expected rotations or reflections")
    return np.broadcast_to(given, (number, 3, 3))


def whole(name: str, values: ArrayLike) -> NDArray[np.int64]:
    """A row of whole numbers as int64; ValueError for anything else."""
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(f"{name}: got {array.dtype} {array.shape}, expected whole numbers in one row")
    return array.astype(np.int64)


def atoms(numbers: ArrayLike, sizes: ArrayLike, what: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Atomic numbers (N,) and how many atoms each `what` has, (n,); ValueError for what cannot be, such as none."""
    z, counts = whole("numbers", numbers), whole("sizes", sizes)
    if counts.min(initial=1) < 1:
        raise ValueError(f"sizes: got {what} {int(counts.argmin())} with {counts.min()} atoms, expected at least 1")
    if z.shape != (counts.sum(),):
        raise ValueError(f"numbers: got shape {z.shape}, expected ({counts.sum()},), the sum of sizes")
    if ((z < 1) | (z > len(ELEMENTS))).any():
        raise ValueError(f"numbers: got {z.min()} ... {z.max()}, expected atomic numbers 1 ... {len(ELEMENTS)}")
    return z, counts


def finite(name: str, values: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Finite numbers of this shape as float64; ValueError for anything else."""
    array = np.array(values, dtype=np.float64, order="C")  # a copy: torch takes no reversed arrays
    if array.shape != shape:
        raise ValueError(f"{name}: got shape {array.shape}, expected {shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: got NaN or inf, expected finite numbers")
    return array
