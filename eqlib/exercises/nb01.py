"""The exercises of notebook 01."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from eqlib.exercises.check import attempt, check, require
from eqlib.groups.element import Array


def numbers(answer: Any) -> Array:
    """The answer as an array of float64; whatever is no real number is refused."""
    try:
        found = np.asarray(answer)
    except (TypeError, ValueError, RuntimeError):
        found = np.asarray(None)
    require(found.dtype.kind in "iuf", f"real numbers are wanted, not a {type(answer).__name__}")
    return found.astype(np.float64)


def whole(answer: Any) -> int:
    """A whole number, given as an int, a float, or an array or tensor of one entry."""
    found = numbers(answer)
    require(found.shape == (), f"one whole number is wanted, this has shape {found.shape}")
    require(np.isfinite(found) and found == np.round(found), f"a whole number is wanted, not {found}")
    return int(found)
