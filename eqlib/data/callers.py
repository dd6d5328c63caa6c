"""Where a warning points: at the reader's own line, however many functions of eqlib lie between."""

from __future__ import annotations

import sys


def outside() -> int:
    """`stacklevel` for warnings.warn, called in the same function: the first caller that is not part of eqlib."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith("eqlib."):
        level, frame = level + 1, frame.f_back
    return level
