"""Pure `plot_*(...)` functions, and the widgets that call them. Public names are re-exported here, one line a file."""

from eqlib.viz.pictures import PALETTE, colours, picture, png, tile
from eqlib.viz.widgets import show, slider

__all__ = ["PALETTE", "colours", "picture", "png", "show", "slider", "tile"]
