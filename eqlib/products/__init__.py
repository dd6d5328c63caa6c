"""Products by their non-zero coefficients: the engine under harmonics and convolutions of points, and sparse tensors."""

from eqlib.products.edge_map import EdgeMap
from eqlib.products.engines import available, using, weights
from eqlib.products.forms import MatrixProduct, opened
from eqlib.products.recursion import Recursion
from eqlib.products.sparse import SparseProduct, pays

__all__ = ["EdgeMap", "MatrixProduct", "Recursion", "SparseProduct", "available", "opened", "pays", "using", "weights"]
