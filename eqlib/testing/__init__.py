"""Is it equivariant, and if not, why?"""

from eqlib.testing.equivariance import assert_equivariant, equivariance_error, randomised
from eqlib.testing.grids import (
    act_on_grid,
    blobs,
    grid_equivariance_error,
    grid_symmetries,
    induced,
    sample_field,
)
from eqlib.testing.layers import Causes, causes
from eqlib.testing.limits import within

__all__ = [
    "Causes",
    "act_on_grid",
    "assert_equivariant",
    "blobs",
    "causes",
    "equivariance_error",
    "grid_equivariance_error",
    "grid_symmetries",
    "induced",
    "randomised",
    "sample_field",
    "within",
]
