"""Pure `plot_*(...)` functions, and the widgets that call them. Public names are re-exported here, one line a file."""

from eqlib.viz.curves import plot_bars, plot_curves, plot_histograms, plot_paths, plot_roc, plot_spread, redraw_curves
from eqlib.viz.dials import dial, matrix
from eqlib.viz.fields import plot_fields, plot_kernel
from eqlib.viz.jets import plot_boosted_jet, plot_jet, plot_lorentz_network
from eqlib.viz.maps import plot_group_map
from eqlib.viz.molecules import molecule
from eqlib.viz.networks import plot_convolutional, plot_dense, plot_graphs
from eqlib.viz.pictures import PALETTE, colours, picture, png, tile
from eqlib.viz.roots import plot_fano, plot_projection, plot_roots, plot_weights
from eqlib.viz.scenes import Arrows, Labels, Points, Sticks, Surface, radial_surface
from eqlib.viz.sky import plot_sky
from eqlib.viz.sphere import plot_on_sphere
from eqlib.viz.stages import plot_stages
from eqlib.viz.tables import letters, plot_table
from eqlib.viz.turning import turntable
from eqlib.viz.views import plot_scene
from eqlib.viz.widgets import folded, show, slider

__all__ = [
    "PALETTE",
    "Arrows",
    "Labels",
    "Points",
    "Sticks",
    "Surface",
    "colours",
    "dial",
    "folded",
    "letters",
    "matrix",
    "molecule",
    "picture",
    "plot_bars",
    "plot_boosted_jet",
    "plot_convolutional",
    "plot_curves",
    "plot_dense",
    "plot_fano",
    "plot_fields",
    "plot_graphs",
    "plot_group_map",
    "plot_histograms",
    "plot_jet",
    "plot_kernel",
    "plot_lorentz_network",
    "plot_on_sphere",
    "plot_paths",
    "plot_projection",
    "plot_roc",
    "plot_roots",
    "plot_scene",
    "plot_sky",
    "plot_spread",
    "plot_stages",
    "plot_table",
    "plot_weights",
    "png",
    "radial_surface",
    "redraw_curves",
    "show",
    "slider",
    "tile",
    "turntable",
]
