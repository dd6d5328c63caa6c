"""Arguments at the door: counts, numbers and text, each refused in one wording that names it. Numpy alone."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def count(name: str, value: Any, least: int = 0, most: int | None = None) -> int:
    """A whole number from `least` on, to `most` where one is given, as a Python integer. ValueError for anything else.

    Python's and numpy's integers are; fractions, truth values, text and None are not.

    >>> count("channels", np.int32(8), 1)
    8
    >>> count("channels", 1.5, 1)
    Traceback (most recent call last):
        ...
    ValueError: channels: got 1.5, expected a whole number >= 1
    """
    try:
        found = None if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        found = None
    if found is None or found < least or (most is not None and found > most):
        wanted = f">= {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name}: got {value!r}, expected a whole number {wanted}")
    return found


def indices(name: str, values: ArrayLike, what: str = "whole numbers") -> NDArray[np.int64]:
    """Whole numbers as int64, in any shape; ValueError for fractions, truth values and what is no number."""
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "iu":
        raise ValueError(f"{name}: got {values!r}, expected {what}")
    return array.astype(np.int64)


def real(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Finite real numbers as float64. ValueError for what is no number, complex ones, NaN and infinite ones."""
    try:
        array = np.asarray(values)
    except ValueError as error:  # rows of several lengths
        raise ValueError(f"{name}: got {_short(values)}, expected an array of real numbers") from error
    if array.dtype.kind == "c":
        raise ValueError(f"{name}: got complex numbers, expected real ones")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name}: got {_short(values)}, expected an array of real numbers")
    found = array.astype(np.float64, copy=False)
    if not np.isfinite(found).all():
        raise ValueError(f"{name}: got NaN or infinite numbers, expected finite ones")
    return found


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


LIMIT = 2**28  # entries, of eight bytes each


def affordable(what: str, entries: int, instead: str = "", most: int = LIMIT) -> None:
    """ValueError before an array of more than `most` entries is made, 2^28 (2 GiB in float64) if not said; with what it takes.

    >>> affordable("generators of O3:5000e", 5 * 10001**2, "use sparse_generators()")
    Traceback (most recent call last):
        ...
    ValueError: generators of O3:5000e: 5.0e+08 entries would take 4.0 GB, more than 2.1; use sparse_generators()
    """
    if entries > most:
        size = f"{entries * 8 / 1e9:.1f}" if entries < 1e13 else f"{entries * 8 / 1e9:.0e}"
        raise ValueError(
            f"{what}: {entries:.1e} entries would take {size} GB, more than {most * 8 / 1e9:.1f}"
            + (f"; {instead}" if instead else "")
        )
