"""Pure `plot_*(...)` functions, and the widgets that call them. Public names are re-exported here, one line a file."""

from eqlib.viz.curves import plot_paths, plot_spread
from eqlib.viz.dials import dial, matrix
from eqlib.viz.maps import plot_group_map
from eqlib.viz.pictures import PALETTE, colours, picture, png, tile
from eqlib.viz.widgets import show, slider

__all__ = [
    "PALETTE",
    "colours",
    "dial",
    "matrix",
    "picture",
    "plot_group_map",
    "plot_paths",
    "plot_spread",
    "png",
    "show",
    "slider",
    "tile",
]
