"""Layers on features of any group: one flat axis `rep.dim`, in the irrep basis."""

from eqlib.nn.activations import BatchNorm, Gate, Invariants, NormActivation
from eqlib.nn.grid import GridConv, GridPool
from eqlib.nn.linear import Linear, TensorProduct
from eqlib.nn.points import PointConv

__all__ = [
    "BatchNorm",
    "Gate",
    "GridConv",
    "GridPool",
    "Invariants",
    "Linear",
    "NormActivation",
    "PointConv",
    "TensorProduct",
]
