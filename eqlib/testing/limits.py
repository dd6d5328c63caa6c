"""A number beside the limit that it has to keep, as text, so that a reader sees how small an error is."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any


def within(value: Any, limit: float | tuple[float, float], unit: str = "") -> str:
    """The number with its limit, and whether it keeps it; for `print`.

    value: a real number, also an array or tensor of one entry. limit: what it must stay below, or the two ends of a range
    that it must lie in, with as many decimals as are to be seen. unit: printed behind the number, such as "%".

    A number has two digits, and `<` if it is below its limit, otherwise `>`. In its range it has the decimals of the range's
    ends, and is judged as it is printed; otherwise stands `outside` in the place of `in`. NaN keeps no limit.

    The notebooks' outputs are compared with the committed ones strictly, but for the number left of `<` or `in`
    (`tools/sanitise.cfg`): another processor rounds otherwise, and a broken library changes the sign.

    Raises ValueError for a limit that is no number, a range that is empty, and more than one value.

    >>> from eqlib.testing import within
    >>> print("error", within(3.21e-16, 1e-12))
    error 3.2e-16 < 1e-12
    >>> print("error", within(0.3, 1e-12))
    error 0.3 > 1e-12
    >>> print("accuracy", within(93.28, (93.1, 93.7), "%"))
    accuracy 93.3 % in 93.1 ... 93.7
    >>> print("accuracy", within(88.0, (93.1, 93.7), "%"))
    accuracy 88.0 % outside 93.1 ... 93.7
    """
    try:
        number = float(value)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"value: got {value!r}, expected one real number") from None
    behind = f" {unit}" if unit else ""
    if isinstance(limit, tuple):
        if len(limit) != 2 or not limit[0] < limit[1]:
            raise ValueError(f"limit: got {limit!r}, expected (low, high) with low < high")
        decimals = max(0, *(-int(Decimal(str(end)).as_tuple().exponent) for end in limit))
        low, shown, high = (f"{round(x, decimals) + 0.0:.{decimals}f}" for x in (limit[0], number, limit[1]))  # no -0.0
        inside = float(low) <= float(shown) <= float(high)
        return f"{shown}{behind} {'in' if inside else 'outside'} {low} ... {high}"
    if not isinstance(limit, int | float) or math.isnan(limit):
        raise ValueError(f"limit: got {limit!r}, expected a number or a range (low, high)")
    shown = f"{number:.0f}" if 100 <= abs(number) < 1e6 else f"{number:.2g}"
    return f"{shown}{behind} {'<' if number < limit else '>'} {limit:g}"
