"""Bilinear maps by their non-zero coefficients."""

from eqlib.products.sparse import SparseProduct, pays

__all__ = ["SparseProduct", "pays"]
